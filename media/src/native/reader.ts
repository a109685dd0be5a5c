import { createRequire } from 'node:module';
import { rm } from 'node:fs/promises';
import { builtReader, NativeUnavailable } from './build.ts';

/** An instance of the C part; only to be handed back to it. */
export type ReaderHandle = object & { readonly __reader: unique symbol };

/**
 * The reader's memory: HEAD_WORDS words, then a record of RECORD_WORDS for each datagram, then their arrivals (64-bit floating
 * point), then room for their bytes. Each of the three begins at a multiple of 64 bytes.
 */
export const HEAD_WORDS = 16;
export const RECORD_WORDS = 10;

/** The word of the head that says how many records are whole. 0 is written there when they are needed no more. */
export const COUNT = 3;

/** The words of a record. */
export const SOCKET = 0;
/** -1 when the datagram did not fit. */
export const LENGTH = 1;
/** 1 when the source is another one than that of the socket's last datagram. */
export const NEW_SOURCE = 2;
/** The port, and above its 16 bits the family: 4 or 6. */
export const SOURCE = 3;
/** Four bytes or 16. */
export const ADDRESS = 4;
/** The socket's own. */
export const LOCAL_PORT = 8;
/** 0 until JavaScript has handed the datagram on. */
export const HANDED_ON = 9;

/** media/native/reader.c. Numbers of sockets are the caller's; results of add, remove and send are 0 or an errno. */
export interface NativeReader {
  /**
   * @param path of a file on tmpfs that outlives the process; what a killed process left there is in the memory. When it cannot
   *   be had, or is empty, the memory ends with the process.
   * @param datagrams as many as a call may read
   * @param datagramBytes room for each
   */
  open(path: string, datagrams: number, datagramBytes: number): ReaderHandle;
  /** Arrivals are the kernel's, CLOCK_MONOTONIC in microseconds; negative when it did not say. */
  memory(reader: ReaderHandle): ArrayBuffer;
  /** Begins to read the socket, with a receive buffer of so many bytes if the system allows. */
  add(reader: ReaderHandle, socket: number, fd: number, receiveBufferBytes: number): number;
  /** Does not close it. */
  remove(reader: ReaderHandle, socket: number): number;
  /** Reads what waits, over what was read before. @returns how many; `datagrams` when there may be more */
  read(reader: ReaderHandle): number;
  /** The same of one socket. */
  readOne(reader: ReaderHandle, socket: number): number;
  /** @param address of IPv4 or IPv6, no name */
  send(reader: ReaderHandle, socket: number, port: number, bytes: Uint8Array, address: string): number;
  /** What the kernel dropped for want of room in the socket's buffer; -1 when it does not say. */
  drops(reader: ReaderHandle, socket: number): number;
}

/** The parts of a reader's memory. */
export interface ReaderMemory {
  readonly head: Int32Array;
  readonly records: Int32Array;
  readonly arrivals: Float64Array;
  readonly bytes: Uint8Array;
}

const aligned = (bytes: number): number => Math.ceil(bytes / 64) * 64;

/** @param datagrams and datagramBytes as for open */
export function partsOf(memory: ArrayBuffer, datagrams: number, datagramBytes: number): ReaderMemory {
  const records = HEAD_WORDS * 4;
  const arrivals = records + aligned(datagrams * RECORD_WORDS * 4);
  const bytes = arrivals + aligned(datagrams * 8);
  return {
    head: new Int32Array(memory, 0, HEAD_WORDS),
    records: new Int32Array(memory, records, datagrams * RECORD_WORDS),
    arrivals: new Float64Array(memory, arrivals, datagrams),
    bytes: new Uint8Array(memory, bytes, datagrams * datagramBytes),
  };
}

const load = createRequire(import.meta.url);

/**
 * Compiles the reader if that was not done before, and loads it.
 * @throws NativeUnavailable where it cannot be had
 */
export async function loadNativeReader(cache?: string, compiler?: string): Promise<NativeReader> {
  const path = await builtReader(cache, compiler);
  try {
    return load(path) as NativeReader;
  } catch (_error) {
    // Compiled against another C library, or damaged.
    await rm(path, { force: true });
  }
  const again = await builtReader(cache, compiler);
  try {
    return load(again) as NativeReader;
  } catch (error) {
    await rm(again, { force: true });
    const reason = `the compiled reader cannot be loaded: ${(error as Error).message}`;
    throw new NativeUnavailable(reason, 'See the reason; RTP_READER=dgram does without it.', {
      cause: error,
    });
  }
}
