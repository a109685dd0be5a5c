/** The child of the self-test: reads one packet from the socket it is lent and says what it was. */
import dgram from 'node:dgram';

// A host that gives up starting does not wait for the test.
process.on('disconnect', () => process.exit());
process.on('message', (_message, handle) => {
  const socket = dgram.createSocket('udp4');
  socket.on('message', (packet) => process.send?.(packet.toString()));
  socket.bind(handle as unknown as dgram.BindOptions);
});
