import type { IncomingMessage } from 'node:http';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { type RawData, type WebSocket, WebSocketServer } from 'ws';
import { FakeRecogniser, type HeardWord, pcmOf } from './fake-recogniser.ts';

/** What a server does otherwise than the protocol has it. All are looked at as they are at the time. */
export interface Behaviour {
  /** HTTP status in place of the upgrade. */
  status: number | null;
  /** Takes audio and says nothing. */
  silent: boolean;
  /** The key that it wants. */
  key: string | null;
  /** Connections at once; more are refused in the protocol's way. */
  quota: number;
}

const textOf = (data: RawData): string => (data as Buffer).toString('utf8');

/** What both servers have in common: an HTTP server, its sockets, and what was seen of them. */
export abstract class FakeServer {
  readonly behaviour: Behaviour = { status: null, silent: false, key: null, quota: Infinity };
  /** Texts that came, of all connections. */
  readonly texts: string[] = [];
  readonly requests: IncomingMessage[] = [];
  readonly sockets = new Set<WebSocket>();
  /** Most connections at once. */
  peak = 0;
  accepted = 0;
  audioSamples = 0;
  readonly #http = http.createServer();
  readonly #ws = new WebSocketServer({ noServer: true });

  protected constructor() {
    this.#http.on('upgrade', (request, socket, head) => {
      this.requests.push(request);
      const { status, key } = this.behaviour;
      const wrong = key !== null && request.headers.authorization !== `Bearer ${key}`;
      if (status !== null || wrong) {
        socket.on('error', () => undefined);
        socket.end(`HTTP/1.1 ${status ?? 401} Refused\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
        return;
      }
      this.#ws.handleUpgrade(request, socket, head, (client) => {
        this.accepted++;
        this.sockets.add(client);
        this.peak = Math.max(this.peak, this.sockets.size);
        client.on('close', () => this.sockets.delete(client));
        client.on('error', () => undefined);
        this.serve(client);
      });
    });
  }

  protected abstract serve(client: WebSocket): void;

  /** @param port 0 takes a free one */
  async listen(port = 0): Promise<void> {
    await new Promise<void>((resolve) => this.#http.listen(port, '127.0.0.1', resolve));
  }

  get port(): number {
    return (this.#http.address() as AddressInfo).port;
  }

  /** Breaks all connections as a crash does. */
  breakAll(): void {
    for (const client of this.sockets) client.terminate();
  }

  async close(): Promise<void> {
    this.breakAll();
    this.#http.closeAllConnections();
    await new Promise((resolve) => this.#http.close(resolve));
  }
}

/** Vosk ends an utterance at half a second of silence after a word. */
const ENDPOINT_SAMPLES = 4000;

/** As alphacep/vosk-server's websocket/asr_server.py behaves, on top of the recogniser of tones. */
export class FakeVosk extends FakeServer {
  /** Says words and results without times, as a server started without VOSK_SHOW_WORDS. */
  withoutWords = false;
  /** Said before each answer. */
  noise: readonly string[] = [];

  static async start(port = 0): Promise<FakeVosk> {
    const server = new FakeVosk();
    await server.listen(port);
    return server;
  }

  private constructor() {
    super();
  }

  get address(): string {
    return `vosk+ws://127.0.0.1:${this.port}`;
  }

  protected serve(client: WebSocket): void {
    const recogniser = new FakeRecogniser();
    const say = (message: object): void => {
      for (const text of this.noise) client.send(text);
      client.send(JSON.stringify(message));
    };
    client.on('message', (data, isBinary) => {
      if (this.behaviour.silent) return;
      if (!isBinary) {
        const text = textOf(data);
        this.texts.push(text);
        if (text === '{"eof" : 1}') {
          say(this.#result(recogniser.takeAll()));
          client.close(1000);
        } else if (!text.includes('config')) client.close(1011);
        return;
      }
      const pcm = pcmOf(data as Buffer);
      this.audioSamples += pcm.length;
      recogniser.feed(pcm);
      const { words } = recogniser;
      if (words.length > 0 && recogniser.silence >= ENDPOINT_SAMPLES) say(this.#result(recogniser.takeAll()));
      else say({ partial: words.map(({ text }) => text).join(' ') });
    });
  }

  #result(words: readonly HeardWord[]): object {
    const text = words.map((word) => word.text).join(' ');
    if (this.withoutWords || words.length === 0) return { text };
    const result = words.map((word) => ({
      conf: 0.75,
      start: word.startSample / 8000,
      end: word.endSample / 8000,
      word: word.text,
    }));
    return { result, text };
  }
}

interface StartRecognition {
  readonly message: unknown;
  readonly audio_format: {
    readonly type: unknown;
    readonly encoding: unknown;
    readonly sample_rate: unknown;
  };
  readonly transcription_config: {
    readonly language: unknown;
    readonly max_delay: number;
    readonly enable_partials: unknown;
    readonly conversation_config?: { readonly end_of_utterance_silence_trigger: number };
  };
}

/** As Speechmatics' API reference for real time says, on top of the recogniser of tones. */
export class FakeSpeechmatics extends FakeServer {
  readonly starts: StartRecognition[] = [];
  /** Faults that a real server would end the session for. */
  readonly violations: string[] = [];
  /** Never says EndOfUtterance, as a server that does not know it. */
  withoutUtterances = false;
  error: string | null = null;

  static async start(port = 0): Promise<FakeSpeechmatics> {
    const server = new FakeSpeechmatics();
    await server.listen(port);
    return server;
  }

  private constructor() {
    super();
  }

  get address(): string {
    return `speechmatics+ws://127.0.0.1:${this.port}/v2?language=en`;
  }

  protected serve(client: WebSocket): void {
    const recogniser = new FakeRecogniser();
    const say = (message: object): void => client.send(JSON.stringify(message));
    const fail = (type: string, code: number): void => {
      say({ message: 'Error', type, reason: `it is ${type}`, code });
      client.close(code);
    };
    const violated = (what: string): void => {
      this.violations.push(what);
      fail('protocol_error', 1003);
    };
    let start: StartRecognition | null = null;
    let seqNo = 0;
    let finalUpto = 0;
    let inUtterance = false;
    let ended = false;
    let shown = '';
    const transcript = (name: string, words: readonly HeardWord[], upto: number): void =>
      say({
        message: name,
        format: '2.1',
        metadata: {
          start_time: finalUpto / 8000,
          end_time: upto / 8000,
          transcript: words.map(({ text }) => text).join(' '),
        },
        results: words.flatMap((word, i) => [
          {
            type: 'word',
            start_time: word.startSample / 8000,
            end_time: word.endSample / 8000,
            alternatives: [{ content: word.text.toUpperCase(), confidence: 0.875, language: 'en' }],
          },
          ...(i === words.length - 1
            ? [
                {
                  type: 'punctuation',
                  start_time: word.endSample / 8000,
                  end_time: word.endSample / 8000,
                  is_eos: true,
                  attaches_to: 'previous',
                  alternatives: [{ content: '.', confidence: 1 }],
                },
              ]
            : []),
        ]),
      });
    const finals = (words: readonly HeardWord[]): void => {
      const upto = words.at(-1)!.endSample;
      transcript('AddTranscript', words, upto);
      finalUpto = upto;
      inUtterance = true;
      shown = '';
    };
    const heard = (): void => {
      const { max_delay: maxDelay, conversation_config: conversation } = start!.transcription_config;
      const trigger = conversation?.end_of_utterance_silence_trigger ?? 0;
      const paused = !this.withoutUtterances && trigger > 0 && recogniser.silence >= trigger * 8000;
      const due = paused ? recogniser.position : recogniser.position - maxDelay * 8000;
      const words = recogniser.takeBefore(due);
      if (words.length > 0) finals(words);
      if (paused && inUtterance) {
        inUtterance = false;
        const time = recogniser.position / 8000;
        say({ message: 'EndOfUtterance', metadata: { start_time: time, end_time: time } });
      }
      const text = recogniser.words.map((word) => word.text).join(' ');
      if (text !== shown) transcript('AddPartialTranscript', recogniser.words, recogniser.position);
      shown = text;
    };
    client.on('message', (data, isBinary) => {
      if (this.behaviour.silent) return;
      if (isBinary) {
        if (start === null || ended) return violated('audio out of order');
        const pcm = pcmOf(data as Buffer);
        if (pcm.length === 0) return violated('empty AddAudio');
        this.audioSamples += pcm.length;
        say({ message: 'AudioAdded', seq_no: ++seqNo });
        recogniser.feed(pcm);
        heard();
        return;
      }
      this.texts.push(textOf(data));
      const message = JSON.parse(textOf(data)) as Record<string, unknown>;
      if (message['message'] === 'StartRecognition') {
        if (start !== null) return violated('started twice');
        if (this.error !== null) return fail(this.error, 4001);
        if (this.sockets.size > this.behaviour.quota) return fail('quota_exceeded', 4005);
        start = message as unknown as StartRecognition;
        this.starts.push(start);
        const { audio_format: format, transcription_config: config } = start;
        const known = format.type === 'raw' && format.encoding === 'pcm_s16le' && format.sample_rate === 8000;
        if (!known) return violated('audio_format');
        if (!(config.max_delay >= 0.7 && config.max_delay <= 4)) return violated('max_delay');
        say({ message: 'RecognitionStarted', id: 'a-session', language_pack_info: { word_delimiter: ' ' } });
        say({
          message: 'Info',
          type: 'recognition_quality',
          reason: 'a model was chosen',
          quality: 'telephony',
        });
      } else if (message['message'] === 'EndOfStream') {
        if (message['last_seq_no'] !== seqNo)
          return violated(`last_seq_no ${String(message['last_seq_no'])}`);
        ended = true;
        const rest = recogniser.takeAll();
        if (rest.length > 0) finals(rest);
        say({ message: 'EndOfTranscript' });
        client.close(1000);
      } else violated(`message ${String(message['message'])}`);
    });
  }
}
