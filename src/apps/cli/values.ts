/** Values of options: read, or refused with what they must be. */
import { InvalidArgumentError } from 'commander';

export function whole(min: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && Number.isSafeInteger(value) && value >= min) return value;
    throw new InvalidArgumentError(`It must be a whole number of at least ${min}.`);
  };
}

export function collected(value: string, earlier: readonly string[] = []): readonly string[] {
  return [...earlier, value];
}

export function number(): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== '' && Number.isFinite(value)) return value;
    throw new InvalidArgumentError('It must be a number.');
  };
}

export function profile(text: string): string {
  if (text === 'development' || text === 'production') return text;
  throw new InvalidArgumentError('It must be development or production.');
}
