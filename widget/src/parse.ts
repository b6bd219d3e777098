//! Reads values that came from outside: what is not as it should be throws.

export type Fields = Record<string, unknown>;

export class Malformed extends Error {}

export function fields(value: unknown): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Malformed();
  return value as Fields;
}

export function text(value: unknown): string {
  if (typeof value !== 'string') throw new Malformed();
  return value;
}

export function whole(value: unknown): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw new Malformed();
  return value;
}

export function oneOf<T extends string>(value: unknown, allowed: readonly T[]): T {
  const found = allowed.find((each) => each === value);
  if (found === undefined) throw new Malformed();
  return found;
}

export function list<T>(value: unknown, parse: (each: unknown) => T): T[] {
  if (!Array.isArray(value)) throw new Malformed();
  return value.map(parse);
}
