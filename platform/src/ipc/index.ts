export { Connection, type ConnectionHandlers } from './connection.ts';
export { Dialer, type DialHandlers } from './dial.ts';
export { encodeFrame, FrameReader, MAX_FRAME_BYTES } from './frame.ts';
export { listen, type Listener } from './listen.ts';
