/**
 * A key and its certificate in one file with a password, as browsers and mail programs import them.
 * 3DES and SHA-1 are what all of them read; the password is what protects the file.
 * Put together here because node-forge's own function takes RSA keys alone, and writes certificates anew, with other bytes.
 * Spec: RFC 7292.
 */
import { createHash, createHmac, randomBytes } from 'node:crypto';
import type { asn1 } from 'node-forge';

const oids = {
  data: '1.2.840.113549.1.7.1',
  keyBag: '1.2.840.113549.1.12.10.1.2',
  certBag: '1.2.840.113549.1.12.10.1.3',
  x509Certificate: '1.2.840.113549.1.9.22.1',
  friendlyName: '1.2.840.113549.1.9.20',
  localKeyId: '1.2.840.113549.1.9.21',
  sha1: '1.3.14.3.2.26',
};
const iterations = 2048;
/** What `generateKey` derives: a key for the checksum. */
const macPurpose = 3;
const macBytes = 20;

export async function pkcs12(options: {
  /** What the importing program shows. */
  readonly name: string;
  /** PKCS#8 */
  readonly keyDer: Buffer;
  readonly certDer: Buffer;
  readonly password: string;
}): Promise<Buffer> {
  const { name, keyDer, certDer, password } = options;
  const { default: forge } = await import('node-forge'); // other commands have no use for it
  const { asn1 } = forge;
  const { Class, Type } = asn1;
  const make = (type: asn1.Type, value: string | asn1.Asn1[]) =>
    asn1.create(Class.UNIVERSAL, type, typeof value !== 'string', value);
  const sequence = (...items: asn1.Asn1[]) => make(Type.SEQUENCE, items);
  const oid = (text: string) => make(Type.OID, asn1.oidToDer(text).getBytes());
  const octets = (bytes: Buffer) => make(Type.OCTETSTRING, bytes.toString('binary'));
  const number = (value: number) => make(Type.INTEGER, asn1.integerToDer(value).getBytes());
  const tagged = (item: asn1.Asn1) => asn1.create(Class.CONTEXT_SPECIFIC, 0 as asn1.Type, true, [item]);
  const der = (item: asn1.Asn1) => Buffer.from(asn1.toDer(item).getBytes(), 'binary');
  const data = (content: asn1.Asn1) => sequence(oid(oids.data), tagged(octets(der(content))));

  // The same id at both says that the key is this certificate's.
  const keyId = createHash('sha1').update(certDer).digest();
  const attributes = make(Type.SET, [
    sequence(
      oid(oids.friendlyName),
      make(Type.SET, [make(Type.BMPSTRING, Buffer.from(name, 'utf16le').swap16().toString('binary'))]),
    ),
    sequence(oid(oids.localKeyId), make(Type.SET, [octets(keyId)])),
  ]);
  const keyInfo = asn1.fromDer(keyDer.toString('binary'));
  const shrouded = forge.pki.encryptPrivateKeyInfo(keyInfo, password, { algorithm: '3des', count: iterations });
  const certificate = sequence(oid(oids.x509Certificate), tagged(octets(certDer)));
  const contents = sequence(
    data(sequence(sequence(oid(oids.certBag), tagged(certificate), attributes))),
    data(sequence(sequence(oid(oids.keyBag), tagged(shrouded), attributes))),
  );

  const salt = randomBytes(8);
  const saltBuffer = forge.util.createBuffer(salt.toString('binary'));
  const key = forge.pkcs12.generateKey(password, saltBuffer, macPurpose, iterations, macBytes);
  const mac = createHmac('sha1', Buffer.from(key.getBytes(), 'binary')).update(der(contents)).digest();
  const digest = sequence(sequence(oid(oids.sha1), make(Type.NULL, '')), octets(mac));
  return der(sequence(number(3), data(contents), sequence(digest, octets(salt), number(iterations))));
}
