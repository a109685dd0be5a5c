import { createRequire } from 'node:module';
import { rm } from 'node:fs/promises';
import { builtReader, NativeUnavailable } from './build.ts';

/** An instance of the C part; only to be handed back to it. */
export type ReaderHandle = object & { readonly __reader: unique symbol };

/** 32-bit words of a datagram's record. */
export const RECORD_WORDS = 8;
/** Which of them is what. LENGTH is -1 when the datagram did not fit. SOURCE is 4 or 6 when PORT and ADDRESS are set, which they
 * are when they differ from those of the socket's last datagram; else 0. */
export const SOCKET = 0;
export const LENGTH = 1;
export const SOURCE = 2;
export const PORT = 3;
export const ADDRESS = 4;

/** media/native/reader.c. Numbers of sockets are the caller's; results of add, remove and send are 0 or an errno. */
export interface NativeReader {
  /**
   * @param bytes room for the datagrams, `datagrams` equal parts
   * @param records RECORD_WORDS each
   * @param arrivals by the kernel, CLOCK_MONOTONIC in microseconds; negative when it did not say
   */
  open(bytes: Uint8Array, records: Int32Array, arrivals: Float64Array, datagrams: number): ReaderHandle;
  /** Begins to read the socket, with a receive buffer of so many bytes if the system allows. */
  add(reader: ReaderHandle, socket: number, fd: number, receiveBufferBytes: number): number;
  /** Does not close it. */
  remove(reader: ReaderHandle, socket: number): number;
  /** Reads what waits, at most `datagrams`. @returns how many; `datagrams` when there may be more */
  read(reader: ReaderHandle): number;
  /** @param address of IPv4 or IPv6, no name */
  send(reader: ReaderHandle, socket: number, port: number, bytes: Uint8Array, address: string): number;
  /** What the kernel dropped for want of room in the socket's buffer; -1 when it does not say. */
  drops(reader: ReaderHandle, socket: number): number;
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
