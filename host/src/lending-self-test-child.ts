/** The child of the self-test: reads one packet from the socket it is lent and says what it was. */
import dgram from 'node:dgram';

process.on('message', (_message, handle) => {
  const socket = dgram.createSocket('udp4');
  socket.on('message', (packet) => process.send?.(packet.toString()));
  socket.bind(handle as unknown as dgram.BindOptions);
});
