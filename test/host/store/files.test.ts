/** Files under attack: links, pipes, folders, loose modes, leftovers, and more bytes than allowed. */
import {
  chmodSync,
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { utf8 } from '../../../src/core/base/bytes.ts';
import { STORE_FAULTS } from '../../../src/host/store/faults.ts';
import {
  bytesWritten,
  makeFolder,
  readFileBounded,
  readSecretFile,
  removeFile,
  writeFileAtomic,
} from '../../../src/host/store/files.ts';
import { accepted, codeOf, faultIn } from '../../core/base/outcome.ts';
import { makePipe, scratch } from './folder.ts';

const folder = scratch();
const modeOf = (path: string): number => statSync(path).mode & 0o777;
const secret = [utf8('the secret')];

describe('readFileBounded', () => {
  it('reads a file of exactly the limit and refuses one byte more', () => {
    const path = join(folder(), 'file');
    writeFileSync(path, 'abcd');
    expect(accepted(readFileBounded(path, 4))).toEqual(utf8('abcd'));
    expect(codeOf(readFileBounded(path, 3))).toBe('store.too-large');
  });

  it('says what is not there, and what is no regular file', () => {
    const at = folder();
    expect(faultIn(readFileBounded(join(at, 'none'), 9))).toEqual({
      code: 'store.not-found',
      message: `${join(at, 'none')}: ENOENT`,
      next: STORE_FAULTS['store.not-found'],
    });
    expect(codeOf(readFileBounded(at, 9))).toBe('store.read');
    expect(codeOf(readFileBounded('/dev/zero', 9))).toBe('store.read');
    writeFileSync(join(at, 'file'), '');
    expect(codeOf(readFileBounded(join(at, 'file', 'under'), 9))).toBe('store.read');
  });

  it('does not wait for a pipe that nobody writes to', () => {
    const path = makePipe(join(folder(), 'pipe'));
    expect(faultIn(readFileBounded(path, 9)).message).toContain('no regular file');
    expect(codeOf(readSecretFile(path, 9))).toBe('store.read');
  });

  it('judges the file behind a link, and a link in a circle is unreadable', () => {
    const at = folder();
    writeFileSync(join(at, 'file'), 'abcd');
    symlinkSync('file', join(at, 'link'));
    symlinkSync('circle', join(at, 'circle'));
    symlinkSync(makePipe(join(at, 'pipe')), join(at, 'to-pipe'));
    expect(codeOf(readFileBounded(join(at, 'link'), 4))).toBe('accepted');
    expect(codeOf(readFileBounded(join(at, 'circle'), 4))).toBe('store.read');
    expect(codeOf(readFileBounded(join(at, 'to-pipe'), 4))).toBe('store.read');
  });
});

describe('readSecretFile', () => {
  it.each([0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o666])('refuses mode %o', (mode) => {
    const path = join(folder(), 'key');
    writeFileSync(path, 'k');
    chmodSync(path, mode);
    expect(codeOf(readSecretFile(path, 9))).toBe('store.loose-mode');
  });

  it.each([0o600, 0o400, 0o700])('reads mode %o', (mode) => {
    const path = join(folder(), 'key');
    writeFileSync(path, 'k');
    chmodSync(path, mode);
    expect(codeOf(readSecretFile(path, 9))).toBe('accepted');
  });

  it('looks at the mode of the file, not at that of a link to it', () => {
    const at = folder();
    writeFileSync(join(at, 'key'), 'k');
    chmodSync(join(at, 'key'), 0o644);
    symlinkSync('key', join(at, 'link'));
    expect(codeOf(readSecretFile(join(at, 'link'), 9))).toBe('store.loose-mode');
  });

  it('refuses a loose mode before it says anything about the content', () => {
    const path = join(folder(), 'key');
    writeFileSync(path, 'longer than nine');
    chmodSync(path, 0o644);
    expect(codeOf(readSecretFile(path, 9))).toBe('store.loose-mode');
    chmodSync(path, 0o600);
    expect(codeOf(readSecretFile(path, 9))).toBe('store.too-large');
  });
});

describe('writeFileAtomic', () => {
  it('joins its chunks, replaces what was there and leaves nothing beside it', () => {
    const at = folder();
    const before = bytesWritten();
    accepted(writeFileAtomic(join(at, 'file'), [utf8('old')]));
    accepted(writeFileAtomic(join(at, 'file'), [utf8('new'), utf8('er')]));
    expect(readFileSync(join(at, 'file'), 'utf8')).toBe('newer');
    expect(readdirSync(at)).toEqual(['file']);
    expect(bytesWritten() - before).toBe(8);
  });

  it('gives secrets 0600 and the rest 0644, whatever the umask', () => {
    const at = folder();
    const before = process.umask(0o777);
    try {
      accepted(writeFileAtomic(join(at, 'key'), secret, { secret: true }));
      accepted(writeFileAtomic(join(at, 'pub'), secret));
      process.umask(0);
      accepted(writeFileAtomic(join(at, 'key2'), secret, { secret: true }));
    } finally {
      process.umask(before);
    }
    expect([modeOf(join(at, 'key')), modeOf(join(at, 'key2'))]).toEqual([0o600, 0o600]);
    expect(modeOf(join(at, 'pub'))).toBe(0o644);
  });

  it('tightens the mode of a file that it replaces', () => {
    const path = join(folder(), 'key');
    writeFileSync(path, 'old');
    chmodSync(path, 0o666);
    accepted(writeFileAtomic(path, secret, { secret: true }));
    expect(modeOf(path)).toBe(0o600);
  });

  it('writes no secret into a temporary file that somebody else has open', () => {
    const path = join(folder(), 'key');
    writeFileSync(`${path}.tmp`, 'left over');
    chmodSync(`${path}.tmp`, 0o666);
    const spy = openSync(`${path}.tmp`, 'r');
    accepted(writeFileAtomic(path, secret, { secret: true }));
    const seen = Buffer.alloc(64);
    expect(seen.subarray(0, readSync(spy, seen)).toString()).toBe('left over');
    closeSync(spy);
    expect(readFileSync(path, 'utf8')).toBe('the secret');
    expect(modeOf(path)).toBe(0o600);
  });

  it('follows no link that stands where its temporary file or the file itself should', () => {
    const at = folder();
    const victim = join(at, 'victim');
    writeFileSync(victim, 'untouched');
    symlinkSync(victim, join(at, 'key.tmp'));
    symlinkSync(victim, join(at, 'key'));
    accepted(writeFileAtomic(join(at, 'key'), secret, { secret: true }));
    expect(readFileSync(victim, 'utf8')).toBe('untouched');
    expect(lstatSync(join(at, 'key')).isSymbolicLink()).toBe(false);
    expect(readFileSync(join(at, 'key'), 'utf8')).toBe('the secret');
  });

  it('does not wait for pipes in its way', () => {
    const at = folder();
    makePipe(join(at, 'key.tmp'));
    makePipe(join(at, 'key'));
    expect(codeOf(writeFileAtomic(join(at, 'key'), secret, { fresh: true }))).toBe('store.exists');
    accepted(writeFileAtomic(join(at, 'key'), secret));
    expect(readFileSync(join(at, 'key'), 'utf8')).toBe('the secret');
  });

  it('refuses, when fresh, a file, a folder and a link that leads nowhere', () => {
    const at = folder();
    writeFileSync(join(at, 'file'), 'old');
    mkdirSync(join(at, 'folder'));
    symlinkSync('nowhere', join(at, 'link'));
    for (const name of ['file', 'folder', 'link']) {
      const fresh = writeFileAtomic(join(at, name), secret, { fresh: true });
      expect(codeOf(fresh), name).toBe('store.exists');
    }
    expect(readFileSync(join(at, 'file'), 'utf8')).toBe('old');
    expect(codeOf(writeFileAtomic(join(at, 'new'), secret, { fresh: true }))).toBe('accepted');
  });

  it('is store.write, and leaves nothing, where it cannot write', () => {
    const at = folder();
    writeFileSync(join(at, 'file'), 'old');
    expect(codeOf(writeFileAtomic(join(at, 'no', 'such'), secret))).toBe('store.write');
    expect(codeOf(writeFileAtomic(join(at, 'file', 'under'), secret))).toBe('store.write');
    const under = writeFileAtomic(join(at, 'file', 'under'), secret, { fresh: true });
    expect(codeOf(under)).toBe('store.write');
    mkdirSync(join(at, 'taken'));
    expect(codeOf(writeFileAtomic(join(at, 'taken'), secret))).toBe('store.write');
    mkdirSync(join(at, 'other.tmp'));
    expect(codeOf(writeFileAtomic(join(at, 'other'), secret))).toBe('store.write');
    expect(readdirSync(at).sort()).toEqual(['file', 'other.tmp', 'taken']);
  });
});

describe('makeFolder and removeFile', () => {
  it('make a private folder with its parents, and take one that is there', () => {
    const at = folder();
    accepted(makeFolder(join(at, 'a', 'b')));
    accepted(makeFolder(join(at, 'a', 'b')));
    expect([modeOf(join(at, 'a')), modeOf(join(at, 'a', 'b'))]).toEqual([0o700, 0o700]);
  });

  it('refuse a file where the folder should be, and a folder where the file should be', () => {
    const at = folder();
    writeFileSync(join(at, 'file'), '');
    expect(codeOf(makeFolder(join(at, 'file')))).toBe('store.write');
    expect(codeOf(removeFile(at))).toBe('store.write');
    expect(codeOf(makeFolder(join(at, 'file', 'below')))).toBe('store.write');
    symlinkSync('nowhere', join(at, 'dangling'));
    expect(codeOf(makeFolder(join(at, 'dangling')))).toBe('store.write');
  });

  it('end where nothing can be made, as under /proc', () => {
    expect(codeOf(makeFolder('/proc/nowhere/at/all'))).toBe('store.write');
    expect(codeOf(makeFolder('/proc/nowhere'))).toBe('store.write');
  });

  it('remove the link and not what it leads to', () => {
    const at = folder();
    writeFileSync(join(at, 'file'), '');
    symlinkSync('file', join(at, 'link'));
    accepted(removeFile(join(at, 'link')));
    accepted(removeFile(join(at, 'link')));
    expect(existsSync(join(at, 'file'))).toBe(true);
  });
});
