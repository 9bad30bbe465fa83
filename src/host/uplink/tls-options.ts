/** How TLS to a broker is set up; a file of its own, so that its types need no types of Node.js. */

export interface TlsOptions {
  /** The roots to trust instead of the usual ones. */
  readonly ca?: string;
  /** The client certificate and its key, for mutual TLS. */
  readonly cert?: string;
  readonly key?: string;
  /** The name the broker's certificate must carry, where it differs from the host. */
  readonly servername?: string;
}
