/**
 * One TPM 2.0 NV index of type EXTEND, through tpm2-tools: its value is the SHA-256 of the value
 * before and 32 bytes given, and nothing brings an earlier one back.
 *
 * Not promised: the tools speak to the TPM in clear, so whoever is on its bus or replaces the tools
 * lies to us; a software TPM is as strong as the files it keeps.
 */
import { resolve } from 'node:path';
import { equalBytes, fromUtf8, toHex, utf8 } from '../../core/base/bytes.ts';
import { attempt, need, type Refusal, type Result } from '../../core/base/fault.ts';
import { sealRecord } from '../../core/crypto/mac.ts';
import { readFileBounded, writeFileAtomic } from '../store/files.ts';
import { runTool, type ToolReply } from './child-tool.ts';
import { type PlatformFaultCode, refusePlatform } from './faults.ts';

export const TPM_VALUE_BYTES = 32;
/** In the range that TCG leaves to the owner of the device. */
export const TPM_INDEX_DEFAULT = 0x0150_0010;
const AUTH_CHARS = 32;

export interface TpmOptions {
  /**
   * How to reach the TPM: `device:/dev/tpmrm0` on a board. Always given, and never taken from the
   * environment: without one the tools look for a TPM wherever one answers, on the network too.
   */
  readonly tcti: string;
  /** `0x01500010` by default. */
  readonly index?: number | undefined;
  /** Where the tools are: `/usr/bin` by default. */
  readonly toolFolder?: string | undefined;
  readonly deadlineMs?: number | undefined;
}

export interface TpmIndex {
  /** Faults: `platform.tpm-*`, `platform.tool-*`; `platform.tpm-index-kind` is not one of ours. */
  check(): Result<true>;
  /** The 32 bytes; `platform.tpm-index-unwritten` before the first extend. */
  value(): Result<Uint8Array>;
  /** By 32 bytes; whether it was done after a fault, only `value` tells. */
  extend(bytes: Uint8Array): Result<true>;
  /** Like `extend`, and the bytes touch no disk: for what nobody shall ever know. */
  extendUnrecorded(bytes: Uint8Array): Result<true>;
  /** `platform.tpm-index-exists` where there is one. */
  define(ownerAuthFile?: string): Result<true>;
}

/**
 * The password of the index is derived from the device's MAC key, and passed in `FOLDER/tpm.auth`:
 * arguments can be read by every user. It keeps others from extending, which would cost this device
 * its floor; it is not what stands against rollback.
 */
export function openTpmIndex(options: TpmOptions, folder: string, macKey: Uint8Array): TpmIndex {
  const index = indexText(options);
  // The tools run in `/`: what is relative here is nowhere there.
  const authFile = resolve(folder, 'tpm.auth');
  const digestFile = resolve(folder, 'tpm.extend');
  const call = (tool: string, args: readonly string[], input?: Uint8Array): Uint8Array => {
    keepSecret(authFile, indexAuth(macKey));
    return callTool(options, tool, args, input);
  };
  const own = [index, '-C', index, '-P', `file:${authFile}`];
  return {
    check: () => attempt(() => needExtendIndex(call('tpm2_nvreadpublic', [index]))),
    value: () => attempt(() => needValue(call('tpm2_nvread', own))),
    extend: (bytes) =>
      attempt(() => {
        // Not over a pipe: were we killed before it is filled, the tool would extend by nothing,
        // and no record would ever fit the value again.
        need(writeFileAtomic(digestFile, [bytes]));
        call('tpm2_nvextend', [...own, '-i', digestFile]);
        return true;
      }),
    extendUnrecorded: (bytes) =>
      attempt(() => {
        call('tpm2_nvextend', [...own, '-i', '-'], bytes);
        return true;
      }),
    define: (ownerAuthFile) =>
      attempt(() => {
        const owner = ownerAuthFile === undefined ? [] : ['-P', `file:${resolve(ownerAuthFile)}`];
        const attributes = ['-g', 'sha256', '-a', 'authread|authwrite|no_da|nt=extend'];
        call('tpm2_nvdefine', [
          ...[index, '-C', 'o', ...owner, ...attributes],
          ...['-p', `file:${authFile}`],
        ]);
        return true;
      }),
  };
}

/** Whether a command line is that of an extend of this very index. */
export function isExtendOf(options: TpmOptions, commandLine: readonly string[]): boolean {
  const tool = commandLine.some((word) => word.endsWith('/tpm2_nvextend'));
  return tool && [indexText(options), options.tcti].every((word) => commandLine.includes(word));
}

function indexText({ index = TPM_INDEX_DEFAULT }: TpmOptions): string {
  return `0x${index.toString(16)}`;
}

function indexAuth(macKey: Uint8Array): Uint8Array {
  const tag = sealRecord(macKey, utf8('edgeward-tpm-index/1')).slice(-32);
  // A TPM takes no longer password than the digest of the index has bytes.
  return utf8(toHex(tag).slice(0, AUTH_CHARS));
}

function keepSecret(path: string, bytes: Uint8Array): void {
  const stored = readFileBounded(path, bytes.length);
  if (stored.ok && equalBytes(stored.value, bytes)) return;
  need(writeFileAtomic(path, [bytes], { secret: true }));
}

/**
 * A tool whose process was killed leaves its session in a TPM without a resource manager, and three
 * of them are all there is room for. A busy TPM has done nothing, so trying again is safe.
 */
function callTool(
  options: TpmOptions,
  tool: string,
  args: readonly string[],
  input: Uint8Array | undefined,
): Uint8Array {
  const first = attempt(() => callOnce(options, tool, args, input));
  if (first.ok || first.fault.code !== 'platform.tpm-busy') return need(first);
  callOnce(options, 'tpm2_flushcontext', ['-l']);
  return callOnce(options, tool, args, input);
}

function callOnce(
  options: TpmOptions,
  tool: string,
  args: readonly string[],
  input?: Uint8Array,
): Uint8Array {
  const { tcti, toolFolder = '/usr/bin', deadlineMs } = options;
  // A name alone would be looked for at a default place.
  if (!/^(device|swtpm|mssim|tabrmd):[^\s]+$/.test(tcti)) {
    throw refusePlatform('platform.tpm-unreachable', `"${tcti}" names no TPM and its place`);
  }
  const path = `${toolFolder}/${tool}`;
  const reply = need(runTool({ path, args: ['-T', tcti, ...args], input, deadlineMs }));
  if (!reply.succeeded) throw refuseReply(tool, reply);
  return reply.output;
}

/** What response codes of the TPM mean to us; the exit code is 1 for all of them. */
const MEANINGS: ReadonlyMap<number, PlatformFaultCode> = new Map([
  [0x14a, 'platform.tpm-index-unwritten'],
  [0x14c, 'platform.tpm-index-exists'],
  [0x18b, 'platform.tpm-index-missing'],
  // Written by extending, where it is none to extend.
  [0x282, 'platform.tpm-index-kind'],
  // Wrong password without and with lockout, lockout itself, not permitted, policy.
  [0x9a2, 'platform.tpm-refused'],
  [0x98e, 'platform.tpm-refused'],
  [0x921, 'platform.tpm-refused'],
  [0x149, 'platform.tpm-refused'],
  [0x12f, 'platform.tpm-refused'],
  [0x99d, 'platform.tpm-refused'],
  // Written too often just now, memory not ready, no room for objects or sessions, try again.
  [0x920, 'platform.tpm-busy'],
  [0x923, 'platform.tpm-busy'],
  [0x902, 'platform.tpm-busy'],
  [0x903, 'platform.tpm-busy'],
  [0x922, 'platform.tpm-busy'],
]);
/** Response codes of the TCTI: what lies between the tool and the TPM. */
const TCTI_LAYER = 0xa;

function refuseReply(tool: string, { complaint }: ToolReply): Refusal {
  const said = `${tool}: ${complaint.replaceAll('\n', '; ')}`;
  if (/could not load tcti/i.test(complaint)) {
    return refusePlatform('platform.tpm-unreachable', said);
  }
  for (const [, hex = ''] of complaint.matchAll(/\(0x([0-9a-f]{1,8})\)/gi)) {
    const code = Number.parseInt(hex, 16);
    const meaning = MEANINGS.get(code);
    if (meaning !== undefined) return refusePlatform(meaning, said);
    if (code >>> 16 === TCTI_LAYER) return refusePlatform('platform.tpm-unreachable', said);
  }
  return refusePlatform('platform.tool-failed', said);
}

function needValue(output: Uint8Array): Uint8Array {
  if (output.length === TPM_VALUE_BYTES) return output;
  const said = `tpm2_nvread gave ${output.length} bytes, not ${TPM_VALUE_BYTES}`;
  throw refusePlatform('platform.tool-output', said);
}

/** TPMA_NV (TPM 2.0 part 2, 13.4): no_da, authread, nt = extend, authwrite. */
const ATTRIBUTES_NEEDED = 0x0204_0044;
/** platformcreate, written, ppread, ownerread, policydelete: they give nobody a way to write. */
const ATTRIBUTES_HARMLESS = 0x6003_0400;
const SHA256_ID = 0xb;

/** An ordinary index could be written with any value: then it would prove nothing. */
function needExtendIndex(output: Uint8Array): true {
  const text = fromUtf8(output) ?? '';
  const hash = /hash algorithm:\s+friendly: \S+\s+value: 0x([0-9a-f]{1,8})\s/i.exec(text)?.[1];
  const bits = /attributes:\s+friendly: \S+\s+value: 0x([0-9a-f]{1,8})\s/i.exec(text)?.[1];
  const size = /\s+size: (\d{1,6})\s/.exec(text)?.[1];
  if (hash === undefined || bits === undefined || size === undefined) {
    throw refusePlatform('platform.tool-output', 'tpm2_nvreadpublic does not describe an index');
  }
  const needed = (Number.parseInt(bits, 16) & ~ATTRIBUTES_HARMLESS) >>> 0;
  const right = Number.parseInt(hash, 16) === SHA256_ID && Number(size) === TPM_VALUE_BYTES;
  if (right && needed === ATTRIBUTES_NEEDED) return true;
  const seen = `hash 0x${hash}, attributes 0x${bits}, ${size} bytes`;
  throw refusePlatform('platform.tpm-index-kind', `the index has ${seen}`);
}
