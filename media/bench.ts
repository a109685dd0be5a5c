// What reading costs without what follows it: a process of `npm run bench -- media` that binds sockets, prints their ports, and
// counts what comes to them until its standard input ends.
//   node media/bench.ts native|dgram STREAMS
import dgram from 'node:dgram';
import { bindUdp, createLog, portOf, type RawHandle } from '@earshot/platform';
import { RtpPacket } from 'rtp.js/packets';
import { nowUs } from './src/worker/clock.ts';
import { openReader } from './src/worker/open-reader.ts';
import { TurnTimer } from './src/worker/timer.ts';

const RECEIVE_BUFFER_BYTES = 1024 * 1024;

/** A worker's reader and timer up to RtpStage's door. @returns the ports */
async function native(count: number, onPacket: () => void): Promise<number[]> {
  const reader = await openReader('native', { path: '', inheritedPorts: [] }, createLog('bench', 'warn'));
  if (reader === null) throw new Error('there is no native reader here');
  const ports: number[] = [];
  for (let i = 0; i < count; i++) {
    const handle = bindUdp('127.0.0.1', 0);
    const port = portOf(handle);
    ports.push(port);
    reader.add(handle.fd!, port, RECEIVE_BUFFER_BYTES, onPacket);
    handles.push(handle);
  }
  new TurnTimer(
    () => [].values(),
    (startUs, untilUs) => reader.read(startUs, untilUs),
  );
  return ports;
}

/** Kept, or they would be closed when they are collected. */
const handles: RawHandle[] = [];

/** Node's own sockets with rtp.js, as one would write it: a packet, its fields, the time. @returns the ports */
async function bare(count: number, onPacket: () => void): Promise<number[]> {
  const ports: number[] = [];
  let sum = 0;
  for (let i = 0; i < count; i++) {
    const socket = dgram.createSocket('udp4');
    socket.on('message', (datagram) => {
      const packet = new RtpPacket(new DataView(datagram.buffer, datagram.byteOffset, datagram.byteLength));
      sum += packet.getSequenceNumber() + packet.getTimestamp() + packet.getPayload().byteLength + nowUs();
      onPacket();
    });
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
    socket.setRecvBufferSize(RECEIVE_BUFFER_BYTES);
    ports.push(socket.address().port);
  }
  process.on('exit', () => process.stderr.write(sum < 0 ? 'no packet had a time\n' : ''));
  return ports;
}

const [by, streams] = process.argv.slice(2);
let packets = 0;
const ports = await (by === 'native' ? native : bare)(Number(streams), () => packets++);
process.stdout.write(`${JSON.stringify({ ports })}\n`);
process.stdin.resume().on('end', () => {
  // What came last is read in the next turn.
  setTimeout(() => {
    process.stdout.write(`${JSON.stringify({ packets })}\n`, () => process.exit(0));
  }, 100);
});
