import type { CallView } from '@earshot/contracts';
import { fileUrl } from '../net/api.ts';
import { bytes, count, roleName } from '../state/format.ts';
import { hasFormat, sizeOf } from '../state/recording.ts';
import type { Store } from '../store.ts';
import { PartyCorrection } from './party-correction.tsx';

const END_REASONS: Readonly<Record<string, string>> = {
  bye: 'Hung up (BYE)',
  cancel: 'Cancelled before the answer',
  'rtp-timeout': 'No audio any more (RTP time-out)',
  'ack-timeout': 'Never acknowledged (no ACK)',
  'session-expired': 'Not refreshed in time (session timer)',
  local: 'Ended by Earshot',
  error: 'Ended by an error',
};

const DIALECTS: Readonly<Record<string, string>> = {
  'siprec-rfc7866': 'SIPREC (RFC 7866)',
  'siprec-draft': 'SIPREC (draft)',
  'cisco-cube': 'Cisco CUBE (SIPREC)',
  'cisco-nbr': 'Cisco CUBE (network-based recording)',
  'cucm-bib': 'Cisco CUCM (built-in bridge)',
  audiocodes: 'AudioCodes',
  oracle: 'Oracle SBC',
  ribbon: 'Ribbon',
  avaya: 'Avaya SBCE',
  broadworks: 'BroadWorks or Webex Calling',
  metaswitch: 'Metaswitch',
  opensips: 'OpenSIPS',
  twilio: 'Twilio',
  netsapiens: 'NetSapiens',
  genesys: 'Genesys',
  plain: 'Plain INVITE',
};

/** What is known of the call, and its files. */
export function CallFacts({ store, view }: { store: Store; view: CallView }) {
  return (
    <aside class="facts" aria-label="About this call">
      {view.state === 'ended' && <Downloads view={view} />}
      <details open={matchMedia('(min-width: 900px)').matches}>
        <summary>About this call</summary>
        <h2>Parties</h2>
        {view.channels.map((channel) => (
          <Channel key={channel.index} store={store} view={view} channel={channel} />
        ))}
        {Object.keys(view.externalIds).length > 0 && <h2>External ids</h2>}
        <dl>
          {Object.entries(view.externalIds).map(([name, value]) => (
            <Fact key={name} name={name} value={value} mono />
          ))}
        </dl>
        <h2>Call</h2>
        <dl>
          <Fact name="SIP Call-ID" value={view.sip.callId} mono />
          <Fact name="From" value={view.sip.from} mono />
          <Fact name="To" value={view.sip.to} mono />
          <Fact name="Source" value={`${view.sip.source} (${view.sip.transport})`} mono />
          <Fact name="Forked by" value={DIALECTS[view.dialect] ?? view.dialect} />
          <Fact name="Earshot id" value={view.id} mono />
          <Fact name="Words" value={`${count(view.wordCount)} in ${count(view.segmentCount)} segments`} />
          {view.endReason !== null && (
            <Fact name="Ended" value={END_REASONS[view.endReason] ?? view.endReason} />
          )}
        </dl>
      </details>
    </aside>
  );
}

function Downloads({ view }: { view: CallView }) {
  return (
    <div class="downloads">
      {['txt', 'vtt', 'srt'].map((kind) => (
        <a key={kind} href={fileUrl(view.id, `transcript.${kind}`)} download={`${view.id}.${kind}`}>
          .{kind}
        </a>
      ))}
      {view.recording === null ? (
        <span class="muted">no recording</span>
      ) : (
        <Recordings id={view.id} recording={view.recording} />
      )}
    </div>
  );
}

/** A WAV there is always: where only Opus is kept, it is decoded on the way. */
function Recordings({ id, recording }: { id: string; recording: NonNullable<CallView['recording']> }) {
  return (
    <>
      {(['opus', 'wav'] as const)
        .filter((format) => format === 'wav' || hasFormat(recording, format))
        .map((format) => {
          const size = sizeOf(recording, format);
          return (
            <a
              key={format}
              href={fileUrl(id, `recording.${format}`)}
              download={`${id}.${format}`}
              title={size === null ? 'decoded for you' : bytes(size)}
            >
              .{format}
            </a>
          );
        })}
    </>
  );
}

interface ChannelProps {
  readonly store: Store;
  readonly view: CallView;
  readonly channel: CallView['channels'][number];
}

function Channel({ store, view, channel }: ChannelProps) {
  const live = view.state === 'live';
  const { packetsReceived, packetsLost } = channel;
  const total = (packetsReceived ?? 0) + (packetsLost ?? 0);
  const lostPercent = total === 0 ? 0 : (100 * (packetsLost ?? 0)) / total;
  return (
    <div class={`channel ${channel.role}`}>
      <PartyCorrection store={store} callId={view.id} channel={channel} />
      <span class="muted">
        {roleName(channel.role)} · {channel.codec}
        {channel.label === null ? '' : ` · label ${channel.label}`}
      </span>
      {live && channel.media === 'missing' && <span class="fault">No audio arrives</span>}
      {channel.participant.aor !== null && <span class="mono">{channel.participant.aor}</span>}
      {channel.evidence.length > 0 && <span class="muted">Because: {channel.evidence.join('; ')}</span>}
      {packetsReceived !== null && (
        <span class={`muted${lostPercent >= 1 ? ' fault' : ''}`}>
          {count(packetsReceived)} packets, {count(packetsLost ?? 0)} lost
          {lostPercent > 0 ? ` (${lostPercent < 0.1 ? '<0.1' : lostPercent.toFixed(1)}%)` : ''}
        </span>
      )}
    </div>
  );
}

function Fact({ name, value, mono = false }: { name: string; value: string; mono?: boolean }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd class={mono ? 'mono' : ''}>{value}</dd>
    </div>
  );
}
