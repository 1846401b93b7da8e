import { X509Certificate } from 'node:crypto';
import { certificatesIn } from '../../shared/certificates/certificates.ts';
import { Listeners } from '../../shared/listeners.ts';

/**
 * Which authorities are believed for one purpose. It can change while kagent runs, as when one authority takes another's
 * place: whoever passes it on or verifies with it asks for it each time, or listens.
 */
export class TrustBundle {
  readonly #changed = new Listeners<string>();
  #pem: string;

  constructor(pem: string) {
    this.#pem = pem;
  }

  /** One certificate in PEM or several, one after the other. */
  get pem(): string {
    return this.#pem;
  }

  certificates(): readonly X509Certificate[] {
    return certificatesIn(this.#pem).map((pem) => new X509Certificate(pem));
  }

  replace(pem: string): void {
    if (pem === this.#pem) return;
    this.#pem = pem;
    this.#changed.tell(pem);
  }

  onChange(listener: (pem: string) => void): void {
    this.#changed.add(listener);
  }
}
