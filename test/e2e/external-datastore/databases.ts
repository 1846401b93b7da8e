/** Datastores of other makers on a host of their own, from Debian's packages, and etcd as upstream builds it. */
import { copyFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Box, Running } from '../../helpers/cluster.ts';
import { fetchPackages } from '../../helpers/debian-packages.ts';
import { eventually } from '../../helpers/wait.ts';

export interface Database {
  readonly name: string;
  /** Flags of `kagent server`. */
  readonly flags: readonly string[];
  start(): Promise<void>;
  kill(): Promise<void>;
}

/** What a URL cannot hold as it is. */
export const password = 'p@ss#w%rd/1';
/** Their scripts would start services; and on a merged /usr a package's own /lib would take the place of the link. */
const unpack =
  'for package in /tmp/packages/*.deb; do dpkg -x $package /tmp/unpacked; done; cp -a /tmp/unpacked/usr/. /usr/';
const nobody = 'setpriv --reuid=65534 --regid=65534 --clear-groups';

interface Program {
  readonly box: Box;
  readonly command: string;
  readonly port: number;
}

function daemon({ box, command, port }: Program): Pick<Database, 'start' | 'kill'> {
  let running: Running | undefined;
  return {
    async start() {
      running = box.run(['sh', '-c', `exec ${command} >>/tmp/database.log 2>&1`]);
      await eventually(async () => (await box.sh(`ss -Hltn 'sport = :${port}'`)) !== '', {
        withinMs: 60_000,
        what: `${command.split(' ').find((word) => word.startsWith('/'))} on port ${port}`,
      });
    },
    async kill() {
      await box.sh(`ss -Hltnp 'sport = :${port}' | grep -o 'pid=[0-9]*' | sort -u | cut -d= -f2 | xargs kill -KILL`);
      await running?.exited;
    },
  };
}

export async function postgres(box: Box): Promise<Database> {
  await fetchPackages(box.path('/tmp/packages'), ['postgresql']);
  await box.sh(`${unpack}
install -d -o 65534 /var/lib/pg
printf %s '${password}' >/tmp/pg-password; chmod 644 /tmp/pg-password
cd /var/lib/pg
set -- /usr/lib/postgresql/*/bin
${nobody} $1/initdb -D /var/lib/pg/data -U kagent -A scram-sha-256 --pwfile /tmp/pg-password --locale C -E UTF8
echo 'host all all all scram-sha-256' >>/var/lib/pg/data/pg_hba.conf`);
  const { address } = box.host;
  const command = `${nobody} /usr/lib/postgresql/*/bin/postgres -D /var/lib/pg/data -k /tmp -h ${address}`;
  const flags = ['--datastore-endpoint', `postgres://kagent:${password}@${address}:5432/cluster`];
  return { name: `PostgreSQL at ${address}:5432/cluster`, flags, ...daemon({ box, command, port: 5432 }) };
}

export async function mariadb(box: Box): Promise<Database> {
  await fetchPackages(box.path('/tmp/packages'), ['mariadb-server-core']);
  await box.sh(`${unpack}
install -d -o 65534 /var/lib/maria
cat >/tmp/users.sql <<'SQL'
CREATE USER IF NOT EXISTS kagent@'%' IDENTIFIED BY '${password}';
GRANT ALL ON cluster.* TO kagent@'%';
SQL
cd /usr/share/mysql
{ printf 'CREATE DATABASE mysql;\\nUSE mysql;\\nSET @auth_root_socket=NULL;\\n'; cat mysql_system_tables.sql mysql_performance_tables.sql mysql_system_tables_data.sql; } |
  ${nobody} mariadbd --no-defaults --bootstrap --datadir=/var/lib/maria >/tmp/install.log 2>&1`);
  const { address } = box.host;
  const command = `${nobody} /usr/sbin/mariadbd --no-defaults --datadir=/var/lib/maria --socket=/tmp/maria.sock --bind-address=${address} --init-file=/tmp/users.sql`;
  const flags = ['--datastore-endpoint', `mysql://kagent:${password}@tcp(${address}:3306)/cluster`];
  return { name: `MySQL at tcp(${address}:3306)/cluster`, flags, ...daemon({ box, command, port: 3306 }) };
}

/** For people with a certificate of its own authority alone. */
export async function etcd(box: Box): Promise<Database> {
  await copyFile(resolve(import.meta.dirname, '../../../dist/components/bin/etcd'), box.path('/usr/local/bin/etcd'));
  const { address } = box.host;
  await box.sh(`mkdir -p /etc/etcd && cd /etc/etcd
key() { openssl ecparam -name prime256v1 -genkey -noout -out $1.key; }
sign() { openssl req -new -key $1.key -subj "/CN=$1" | openssl x509 -req -days 9 -CA ca.crt -CAkey ca.key -CAcreateserial -extfile $1.ext -out $1.crt; }
key ca; openssl req -x509 -new -key ca.key -days 9 -subj /CN=etcd-ca -out ca.crt
echo 'subjectAltName=IP:${address}' >server.ext; key server; sign server
echo 'extendedKeyUsage=clientAuth' >client.ext; key client; sign client
chmod 600 *.key`);
  const url = `https://${address}:2379`;
  const tls =
    '--cert-file /etc/etcd/server.crt --key-file /etc/etcd/server.key --trusted-ca-file /etc/etcd/ca.crt --client-cert-auth';
  const command = `/usr/local/bin/etcd --data-dir /var/lib/etcd --listen-client-urls ${url} --advertise-client-urls ${url} ${tls} --log-level error`;
  const flags = [
    '--datastore-endpoint',
    url,
    '--datastore-cafile',
    '/etc/etcd/ca.crt',
    '--datastore-certfile',
    '/etc/etcd/client.crt',
    '--datastore-keyfile',
    '/etc/etcd/client.key',
  ];
  return { name: `etcd at ${url}`, flags, ...daemon({ box, command, port: 2379 }) };
}
