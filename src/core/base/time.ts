/** Two clocks that are never mixed: one for waits, one for records. Both are injected. */

declare const monotonic: unique symbol;
declare const unix: unique symbol;

/** Milliseconds of a clock that only goes forward; meaningless outside this process. */
export type MonotonicMs = number & { readonly [monotonic]: true };

/** Milliseconds since 1970-01-01 UTC, as far as the board knows. */
export type UnixMs = number & { readonly [unix]: true };

export interface Clock {
  monotonicMs(): MonotonicMs;
  unixMs(): UnixMs;
}
