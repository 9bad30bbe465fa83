/** Domain separation: what a signature was made for is part of what is signed. */
import { encodeCbor } from './encode.ts';

export type Domain = 'root' | 'revocation' | 'command' | 'telemetry' | 'floor';

/** The external_aad of every signature but SUIT's own: `["edgeward/<kind>/v1", scope]`. */
export function externalAad(kind: Domain, scope: string): Uint8Array {
  return encodeCbor([`edgeward/${kind}/v1`, scope]);
}
