/** Which network cards a machine has. One of them is the cable to the other machine. */

export type MachineName = 'm1' | 'm2';
export type Cards = 'one' | 'two' | 'no-default-route' | 'ipv6-link-local';

export interface Card {
  /** `cable`: the other machine is at its end. `out`: nothing comes out of it. */
  readonly leads: 'cable' | 'out';
  readonly mac: string;
  /** `10.77.0.11/24`, or none. */
  readonly address: string;
  readonly gateway: string;
}

/** By which the other machine reaches it. */
export function addressOf(name: MachineName): string {
  return `10.77.0.${10 + numberOf(name)}`;
}

export function cardsOf(name: MachineName, cards: Cards): readonly Card[] {
  const cable = (gateway: string): Card => ({
    leads: 'cable',
    mac: `52:54:00:00:00:0${numberOf(name)}`,
    address: `${addressOf(name)}/24`,
    gateway,
  });
  // As VirtualBox and QEMU give it to each machine.
  const out: Card = {
    leads: 'out',
    mac: `52:54:00:01:00:0${numberOf(name)}`,
    address: '10.0.2.15/24',
    gateway: '10.0.2.2',
  };
  return {
    one: [cable('10.77.0.1')],
    two: [out, cable('')],
    'no-default-route': [cable('')],
    'ipv6-link-local': [cable('10.77.0.1'), { ...out, address: '', gateway: '' }],
  }[cards];
}

function numberOf(name: MachineName): number {
  return Number(name.slice(1));
}

/** What a kernel's command line says of the machine. @see setup.ts */
export function bootArguments(name: MachineName, cards: readonly Card[]): readonly string[] {
  return [
    `machine.name=${name}`,
    ...cards.map(({ mac, address, gateway }) => `machine.card=${mac},${address},${gateway}`),
  ];
}
