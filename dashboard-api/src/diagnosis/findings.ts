import type { FindingCode } from '@earshot/contracts';

/** What each finding says, and what to do about it. */
export const FINDINGS: Readonly<Record<FindingCode, { readonly text: string; readonly advice: string }>> = {
  'never-acknowledged': {
    text: 'The caller never acknowledged our answer (no ACK), so it may not have got it.',
    advice:
      'Check that the way back is open for SIP, and that the address in our Contact can be reached from the caller (PUBLIC_IP, NAT).',
  },
  cancelled: {
    text: 'The caller gave up before the call was answered (CANCEL).',
    advice: 'Look at how long the answer took, and at the ring time-out of the caller.',
  },
  'streams-refused': {
    text: 'A stream was refused in our answer (port 0): none of its formats can be taken.',
    advice:
      'Have the caller offer PCMU, PCMA, G722, opus or L16 for it, by RTP/AVP or RTP/SAVP with a=crypto (SDES).',
  },
  'nothing-offered': {
    text: 'The caller offered no stream that sends: all have port 0, or are inactive or on hold all along.',
    advice: 'Check the recording profile of the SBC: it has to offer sendonly streams with a port.',
  },
  paused: {
    text: 'Recording and recognition were paused.',
    advice: 'POST …/resume takes a call up again; what came meanwhile was not kept.',
  },
  'on-hold': {
    text: 'The stream was on hold nearly all the time.',
    advice: 'Look in the trace for the re-INVITE that holds it, and whether one takes it up again.',
  },
  'no-packets': {
    text: 'No RTP packet came.',
    advice:
      'Check that the caller can send UDP to the address and port in our answer (firewall, RTP_PORT_MIN to RTP_PORT_MAX, PUBLIC_IP), and that it sends at all.',
  },
  'packets-rejected': {
    text: 'Packets came, and none could be used.',
    advice:
      'They came from another source than the first, had a payload type that was not agreed on, or were not authentic (SRTP with another key). Compare a packet capture with the SDP in the trace.',
  },
  'packets-lost': {
    text: 'Many packets were lost on the way.',
    advice: 'Look at the network between the caller and Earshot: loss, jitter, a link that is full.',
  },
  'packets-stopped': {
    text: 'Packets stopped long before the end.',
    advice:
      'Look at what the caller did then: a transfer, a change of its address without a re-INVITE, a NAT entry that ran out.',
  },
  'silence-not-sent': {
    text: 'The caller sent next to nothing: its silence suppression found no speech.',
    advice:
      'Check that the right leg is forked, and switch silence suppression (VAD, comfort noise) off to be sure.',
  },
  'recorded-first': {
    text: 'The call was recorded first, for recognition had no room for it: its words follow when the engines have.',
    advice:
      'Wait. GET /v1/capacity shows how many calls wait and how much room there is; more engines or nodes, or RECORD_FIRST_CALLS=0 to refuse such calls.',
  },
  'not-recognised-yet': {
    text: 'Audio is there and is not recognised yet.',
    advice:
      'Wait; the engines are behind, or the database is away. GET /v1/capacity shows their headroom, /readyz what is missing.',
  },
  'no-words': {
    text: 'Audio came, and there were no words in it.',
    advice:
      'It may be silence, or speech that the recogniser does not understand: how loud it was is said once the call has ended. Listen to it.',
  },
  silence: {
    text: 'Audio came, and there was no speech in it.',
    advice: 'Listen to the recording. Check that the right leg is forked, and that the party was not muted.',
  },
  'too-quiet': {
    text: 'Speech came, and it is very quiet.',
    advice: 'Check the gain of the microphone, or of the gateway between.',
  },
  clipped: {
    text: 'The sound is driven to its limit and distorted.',
    advice: 'Lower the gain of the microphone, or of the gateway between.',
  },
  'speech-not-understood': {
    text: 'Speech came, and the recogniser made no words of it.',
    advice:
      'Check that the model knows the language that is spoken; POST …/retranscribe recognises the recording again with another model.',
  },
  'too-short': {
    text: 'It lasted less than a second.',
    advice: 'Look in the trace at who ended it.',
  },
  'disk-low': {
    text: 'It was not recorded: the disk was nearly full when it began.',
    advice:
      'Free or add room on the disk with DATA_DIR: less than DISK_RESERVE percent of it were free. GET /metrics shows earshot_disk_free_ratio.',
  },
  'disk-full': {
    text: 'Some of its audio could not be written, and is missing in the recording: the disk was full, or failed.',
    advice:
      'Free or add room on the disk with DATA_DIR, and look in the log for "spool cannot be written". Words were recognised from memory, which has the last 20 s.',
  },
  unexplained: {
    text: 'Nothing that is known explains it.',
    advice: 'Look at the ledger and the trace, and listen to the recording.',
  },
};
