/** What to do when nothing has ever been heard. */
export function EmptyState() {
  return (
    <div class="empty">
      <h2>No calls yet</h2>
      <p>Earshot is listening. Place two demo calls from the folder it was started in:</p>
      <pre>
        <code>npm run demo -- --calls 2</code>
      </pre>
      <p>
        Or fork calls to it from your SBC or PBX, by SIPREC or a plain INVITE, to{' '}
        <code>sip:{location.hostname}:5060</code> (UDP and TCP; another port if <code>SIP_PORT</code> is set).
        They show up here as they are answered.
      </p>
    </div>
  );
}
