/** Bundles on disk: what is judged is what is kept, and a refused copy leaves no trace. */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { attemptAsync, err, faultOf, ok } from '../../../src/core/base/fault.ts';
import { HASH_CHUNK_BYTES } from '../../../src/core/base/limits.ts';
import { type ByteSource, bytesSource } from '../../../src/core/bundle/source.ts';
import { copyBundleFile, openBundleFile } from '../../../src/host/store/bundle-file.ts';
import { errnoOf, refuseStore, STORE_FAULTS } from '../../../src/host/store/faults.ts';
import { accepted, codeOf, faultIn } from '../../core/base/outcome.ts';
import { makePipe, scratch } from './folder.ts';

const folder = scratch();
const LONG = Uint8Array.from({ length: HASH_CHUNK_BYTES * 2 + 5 }, (_, i) => (i * 31) & 255);
const REFUSED = err(faultOf(STORE_FAULTS, 'store.corrupt', 'not this one'));

describe('openBundleFile', () => {
  it('reads anywhere, and nothing behind the end', () => {
    const path = join(folder(), 'b');
    writeFileSync(path, 'abcdef');
    const source = accepted(openBundleFile(path));
    const into = new Uint8Array(4);
    expect([source.sizeBytes, source.read(4, into), source.read(9, into)]).toEqual([6, 2, 0]);
    expect(Buffer.from(into).toString('utf8', 0, 2)).toBe('ef');
    source.close();
  });

  it('reads ahead what it reads, and refuses what cannot be read', async () => {
    const path = join(folder(), 'b');
    writeFileSync(path, 'abcdef');
    const source = accepted(openBundleFile(path));
    const into = new Uint8Array(4);
    expect(await source.readAhead(2, into)).toBe(4);
    expect(Buffer.from(into).toString()).toBe('cdef');
    expect(await source.readAhead(9, into)).toBe(0);
    source.close();
    const late = await attemptAsync(() => source.readAhead(0, into));
    expect(faultIn(late)).toMatchObject({ code: 'store.read', message: `${path}: EBADF` });
  });

  it('keeps to the file it opened when another takes its name', () => {
    const path = join(folder(), 'b');
    writeFileSync(path, 'first');
    const source = accepted(openBundleFile(path));
    accepted(copyBundleFile(bytesSource(new Uint8Array(9)), path, ok));
    const into = new Uint8Array(5);
    source.read(0, into);
    source.close();
    expect(Buffer.from(into).toString()).toBe('first');
  });

  it('refuses what is no file, without waiting for it', () => {
    const at = folder();
    expect(codeOf(openBundleFile(join(at, 'none')))).toBe('store.not-found');
    expect(codeOf(openBundleFile(at))).toBe('store.read');
    expect(codeOf(openBundleFile(makePipe(join(at, 'pipe'))))).toBe('store.read');
  });

  it('is store.read when a descriptor cannot be read any more', () => {
    const path = join(folder(), 'b');
    writeFileSync(path, 'abc');
    const source = accepted(openBundleFile(path));
    source.close();
    const read = (): number => source.read(0, new Uint8Array(1));
    expect(read).toThrow(refuseStore('store.read', `${path}: EBADF`));
  });
});

describe('copyBundleFile', () => {
  it('publishes the very bytes that were accepted, over what was there', () => {
    const at = folder();
    const path = join(at, 'model.bundle');
    writeFileSync(path, 'old');
    let judged: Uint8Array | undefined;
    const copied = copyBundleFile(bytesSource(LONG), path, (copy) => {
      judged = new Uint8Array(copy.sizeBytes);
      return ok(copy.read(0, judged));
    });
    expect(codeOf(copied)).toBe('accepted');
    expect(judged).toEqual(LONG);
    expect(Buffer.compare(readFileSync(path), LONG)).toBe(0);
    expect(readdirSync(at)).toEqual(['model.bundle']);
  });

  it('leaves everything as it was when the copy is refused, or its judge throws', () => {
    const at = folder();
    const path = join(at, 'model.bundle');
    writeFileSync(path, 'old');
    expect(codeOf(copyBundleFile(bytesSource(LONG), path, () => REFUSED))).toBe('store.corrupt');
    const broken = (): unknown =>
      copyBundleFile(bytesSource(LONG), path, () => {
        throw new Error('a defect');
      });
    expect(broken).toThrow('a defect');
    expect(readFileSync(path, 'utf8')).toBe('old');
    expect(readdirSync(at)).toEqual(['model.bundle']);
  });

  it('shows its judge the copy, not a source that tells two stories', () => {
    const path = join(folder(), 'model.bundle');
    let reads = 0;
    const turncoat: ByteSource = {
      sizeBytes: 4,
      read: (_, into) => {
        into.fill(reads++);
        return 4;
      },
    };
    turncoat.read(0, new Uint8Array(4));
    const seen = new Uint8Array(4);
    accepted(copyBundleFile(turncoat, path, (copy) => ok(copy.read(0, seen))));
    expect([...seen]).toEqual([1, 1, 1, 1]);
    expect([...readFileSync(path)]).toEqual([1, 1, 1, 1]);
  });

  it('ends when the source ends before it said', () => {
    const path = join(folder(), 'model.bundle');
    const short: ByteSource = { sizeBytes: 2 ** 31, read: () => 0 };
    accepted(copyBundleFile(short, path, (copy) => ok(expect(copy.sizeBytes).toBe(0))));
  });

  it('passes on what the source refuses, and leaves nothing', () => {
    const at = folder();
    const failing: ByteSource = {
      sizeBytes: 9,
      read() {
        throw refuseStore('store.read', 'the card is gone');
      },
    };
    expect(codeOf(copyBundleFile(failing, join(at, 'm'), ok))).toBe('store.read');
    expect(readdirSync(at)).toEqual([]);
  });

  it('follows no link and waits for no pipe at its staging name', () => {
    const at = folder();
    const path = join(at, 'm');
    writeFileSync(join(at, 'victim'), 'untouched');
    symlinkSync('victim', `${path}.staging`);
    accepted(copyBundleFile(bytesSource(LONG), path, ok));
    makePipe(`${path}.staging`);
    accepted(copyBundleFile(bytesSource(LONG), path, ok));
    expect(readFileSync(join(at, 'victim'), 'utf8')).toBe('untouched');
    expect(existsSync(`${path}.staging`)).toBe(false);
  });

  it('is store.write where it cannot be written or put in place', () => {
    const at = folder();
    expect(codeOf(copyBundleFile(bytesSource(LONG), join(at, 'no', 'm'), ok))).toBe('store.write');
    mkdirSync(join(at, 'm'));
    expect(codeOf(copyBundleFile(bytesSource(LONG), join(at, 'm'), ok))).toBe('store.write');
    expect(readdirSync(at)).toEqual(['m']);
  });
});

describe('errnoOf', () => {
  it('gives the code of the operating system, or the words of anything else', () => {
    expect(errnoOf(Object.assign(new Error('x'), { code: 'EIO' }))).toBe('EIO');
    expect(errnoOf('words')).toBe('words');
  });
});
