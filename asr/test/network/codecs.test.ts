import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isRemoteAddress, parseRemoteAddress } from '../../src/network/address.ts';
import type { RemoteCodec, RemoteEvent, StreamSettings } from '../../src/network/protocol.ts';
import { speechmatics } from '../../src/network/speechmatics.ts';
import { vosk } from '../../src/network/vosk.ts';

const settings: StreamSettings = { maxDelayMs: null, phrases: [] };
const words = (events: readonly RemoteEvent[]): unknown =>
  events.flatMap((event) => (event.kind === 'partial' || event.kind === 'final' ? event.words : []));

describe('the address', () => {
  test('names protocol, server and connections, and hands the rest on', () => {
    expect(parseRemoteAddress('vosk+ws://asr.example:2700?connections=100')).toEqual({
      protocol: 'vosk',
      url: 'ws://asr.example:2700/',
      connections: 100,
      language: 'en',
      operatingPoint: null,
      name: 'vosk asr.example:2700',
    });
    expect(
      parseRemoteAddress(
        'speechmatics+wss://eu2.rt.example/v2?language=de&operating_point=enhanced&sm-app=x',
      ),
    ).toEqual({
      protocol: 'speechmatics',
      url: 'wss://eu2.rt.example/v2?sm-app=x',
      connections: 50,
      language: 'de',
      operatingPoint: 'enhanced',
      name: 'speechmatics eu2.rt.example de',
    });
    expect(parseRemoteAddress('vosk+ws://host').url).toBe('ws://host:2700/');
    expect(parseRemoteAddress('vosk+ws://host:80').url).toBe('ws://host/');
    expect(parseRemoteAddress('vosk+wss://[2001:db8::1]:443/asr').url).toBe('wss://[2001:db8::1]/asr');
  });

  test.each([
    ['vosk+ws://', 'URL'],
    ['whisper+ws://host', 'vosk+ws:'],
    ['vosk+ws://user:secret@host', 'ASR_KEY'],
    ['speechmatics+wss://host/v2?jwt=secret', 'ASR_KEY'],
    ['vosk+ws://host?connections=0', 'connections'],
    ['vosk+ws://host?connections=many', 'connections'],
    ['speechmatics+wss://host?language=english please', 'language'],
  ])('%s is refused with what is wrong and without what may be a key', (address, fault) => {
    expect(() => parseRemoteAddress(address)).toThrow(fault);
    expect(() => parseRemoteAddress(address)).not.toThrow('secret');
  });

  test('a folder is no address, whatever its name', () => {
    for (const folder of ['./model', '/models/en+ws', 'C:\\models', 'vosk', 'https://host/x.tar']) {
      expect(isRemoteAddress(folder)).toBe(false);
    }
    expect(isRemoteAddress('vosk+ws://host')).toBe(true);
  });

  test('whatever stands in ASR_MODEL, it is an address or a fault that says so', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          const { url, connections } = parseRemoteAddress(`vosk+ws://${text}`);
          expect(url).toMatch(/^ws:\/\//);
          expect(connections).toBeGreaterThanOrEqual(1);
        } catch (error) {
          expect((error as { code?: string }).code).toBe('CONFIG_INVALID');
        }
      }),
    );
  });
});

describe('Vosk', () => {
  function heard(): RemoteCodec {
    const codec = vosk.codec(settings);
    codec.sent(8000);
    codec.sent(8000);
    return codec;
  }

  test('each answer takes one message, and a result has words with samples', () => {
    const codec = heard();
    expect(codec.receive('{"partial" : ""}')).toEqual([
      { kind: 'partial', words: [] },
      { kind: 'taken', uptoSample: 8000 },
    ]);
    const events = codec.receive(
      '{"result":[{"conf":0.5,"start":0.25,"end":0.5,"word":"Good"},{"conf":1,"start":0.5,"end":1.25,"word":"day"}],"text":"good day"}',
    );
    expect(events).toEqual([
      {
        kind: 'final',
        uptoSample: null,
        words: [
          { text: 'good', startSample: 2000, endSample: 4000, confidence: 0.5 },
          { text: 'day', startSample: 4000, endSample: 10_000, confidence: 1 },
        ],
      },
      { kind: 'taken', uptoSample: 16_000 },
    ]);
    expect(codec.finish()).toBe('{"eof" : 1}');
    expect(codec.receive('{"text":""}').map(({ kind }) => kind)).toEqual(['final', 'taken', 'finished']);
  });

  test('a partial without times gives its words what was heard since they began', () => {
    const codec = heard();
    codec.receive('{"partial" : ""}');
    expect(words(codec.receive('{"partial" : "ab cdef"}'))).toEqual([
      { text: 'ab', startSample: 4000, endSample: 8000, confidence: 0.5 },
      { text: 'cdef', startSample: 8000, endSample: 16_000, confidence: 0.5 },
    ]);
  });

  test('an answer to nothing, times out of range and repetitions of the past are not used, and counted', () => {
    const early = vosk.codec(settings);
    expect(early.receive('{"partial" : "x"}')).toEqual([{ kind: 'ignored', reason: 'order' }]);
    const codec = heard();
    const events = codec.receive(
      JSON.stringify({
        text: 'a b c d e',
        result: [
          { word: 'a', start: -1, end: 0.5, conf: 1 },
          { word: 'b', start: 0.75, end: 0.5, conf: 1 },
          { word: 'c', start: 3.5, end: 4, conf: 1 },
          { word: 'd', start: '0.5', end: 0.75, conf: 1 },
          { word: 'e', start: 1.5, end: 1.75, conf: 7 },
          null,
        ],
      }),
    );
    expect(words(events)).toEqual([{ text: 'e', startSample: 12_000, endSample: 14_000, confidence: 0.5 }]);
    expect(events.filter(({ kind }) => kind === 'ignored')).toHaveLength(4);
    codec.sent(8000);
    const past = codec.receive('{"result":[{"word":"e","start":0.25,"end":0.5,"conf":1}],"text":"e"}');
    expect(words(past)).toEqual([]);
    expect(past).toContainEqual({ kind: 'ignored', reason: 'order' });
  });
});

describe('Speechmatics', () => {
  const started = (): RemoteCodec => {
    const codec = speechmatics('en', null).codec(settings);
    codec.receive('{"message":"RecognitionStarted"}');
    for (let i = 0; i < 4; i++) codec.sent(8000);
    return codec;
  };
  const result = (content: unknown, start: unknown, end: unknown, type = 'word'): object => ({
    type,
    start_time: start,
    end_time: end,
    alternatives: [{ content, confidence: 0.9 }],
  });

  test('begins with the audio format, the delay and the phrases of the channel', () => {
    const phrases = Array.from({ length: 1200 }, (_, i) => ({ text: `phrase ${i}`, boost: 2 }));
    const text = speechmatics('fr', 'enhanced').codec({ maxDelayMs: 20_000, phrases }).opening;
    expect(JSON.parse(text)).toMatchObject({
      message: 'StartRecognition',
      audio_format: { type: 'raw', encoding: 'pcm_s16le', sample_rate: 8000 },
      transcription_config: {
        language: 'fr',
        operating_point: 'enhanced',
        max_delay: 4,
        enable_partials: true,
      },
    });
    const vocabulary = (JSON.parse(text) as { transcription_config: { additional_vocab: unknown[] } })
      .transcription_config.additional_vocab;
    expect(vocabulary).toHaveLength(1000);
    expect(vocabulary[0]).toEqual({ content: 'phrase 0' });
  });

  test('words are lower case, entities come as spoken, punctuation is left out', () => {
    const events = started().receive(
      JSON.stringify({
        message: 'AddTranscript',
        metadata: { start_time: 0, end_time: 2, transcript: 'I owe $12.' },
        results: [
          result('I', 0.5, 0.625),
          {
            ...result('$12', 1, 2, 'entity'),
            spoken_form: [result('Twelve', 1, 1.5), result('dollars', 1.5, 2)],
            written_form: [result('$12', 1, 2)],
          },
          result('.', 2, 2, 'punctuation'),
        ],
      }),
    );
    expect(events).toEqual([
      {
        kind: 'final',
        uptoSample: 16_000,
        words: [
          { text: 'i', startSample: 4000, endSample: 5000, confidence: 0.9 },
          { text: 'twelve', startSample: 8000, endSample: 12_000, confidence: 0.9 },
          { text: 'dollars', startSample: 12_000, endSample: 16_000, confidence: 0.9 },
        ],
      },
    ]);
  });

  test('an acknowledgement may stand for several messages, none for one that was not sent', () => {
    const codec = started();
    expect(codec.receive('{"message":"AudioAdded","seq_no":3}')).toEqual([
      { kind: 'taken', uptoSample: 24_000 },
    ]);
    for (const seqNo of [3, 5, 0, -1]) {
      expect(codec.receive(JSON.stringify({ message: 'AudioAdded', seq_no: seqNo }))).toEqual([
        { kind: 'ignored', reason: 'order' },
      ]);
    }
    expect(codec.receive('{"message":"AudioAdded","seq_no":"4"}')[0]!.kind).toBe('ignored');
    expect(codec.receive('{"message":"AudioAdded","seq_no":4}')).toEqual([
      { kind: 'taken', uptoSample: 32_000 },
    ]);
    expect(JSON.parse(codec.finish())).toEqual({ message: 'EndOfStream', last_seq_no: 4 });
  });

  test.each([
    ['not_authorised', 'key'],
    ['invalid_model', 'settings'],
    ['quota_exceeded', 'full'],
    ['idle_timeout', 'link'],
    ['something_new', 'link'],
  ])('the error %s is a matter of the %s', (type, reason) => {
    expect(started().receive(JSON.stringify({ message: 'Error', type, reason: 'because' }))).toEqual([
      { kind: 'refused', reason, type },
    ]);
  });

  test('information is passed over, and unknown messages are counted', () => {
    for (const message of ['Info', 'Warning']) {
      expect(started().receive(JSON.stringify({ message, type: 'x', reason: 'y' }))).toEqual([]);
    }
    expect(started().receive('{"message":"Surprise"}')).toEqual([{ kind: 'ignored', reason: 'type' }]);
  });
});

test('whatever a server says is events: nothing throws, and all words lie within the audio that was sent', () => {
  const anyTime = fc.oneof(fc.double(), fc.integer({ min: -2, max: 8 }), fc.string(), fc.constant(null));
  const anyWord = fc.record(
    {
      word: fc.anything(),
      start: anyTime,
      end: anyTime,
      conf: fc.anything(),
      type: fc.constantFrom('word', 'entity', 'punctuation', 7),
      start_time: anyTime,
      end_time: anyTime,
      alternatives: fc.oneof(
        fc.array(fc.record({ content: fc.anything(), confidence: fc.double() })),
        fc.anything(),
      ),
      spoken_form: fc.anything(),
    },
    { requiredKeys: [] },
  );
  const message = fc.oneof(
    fc.string(),
    fc.json(),
    fc
      .record(
        {
          partial: fc.oneof(fc.string(), fc.anything()),
          text: fc.oneof(fc.string(), fc.anything()),
          result: fc.oneof(fc.array(anyWord), fc.anything()),
          partial_result: fc.oneof(fc.array(anyWord), fc.anything()),
          message: fc.constantFrom(
            'AddTranscript',
            'AddPartialTranscript',
            'AudioAdded',
            'Error',
            'EndOfUtterance',
          ),
          results: fc.oneof(fc.array(anyWord), fc.anything()),
          seq_no: fc.oneof(fc.integer(), fc.anything()),
          metadata: fc.oneof(fc.record({ end_time: anyTime }), fc.anything()),
          type: fc.anything(),
        },
        { requiredKeys: [] },
      )
      .map((value) => {
        try {
          return JSON.stringify(value);
        } catch {
          return '';
        }
      }),
  );
  fc.assert(
    fc.property(fc.array(message, { maxLength: 12 }), (texts) => {
      for (const protocol of [vosk, speechmatics('en', null)]) {
        const codec = protocol.codec(settings);
        for (let i = 0; i < 6; i++) codec.sent(4000);
        for (const text of texts) {
          for (const event of codec.receive(text)) {
            if (event.kind !== 'partial' && event.kind !== 'final') continue;
            for (const word of event.words) {
              expect(word.startSample).toBeGreaterThanOrEqual(0);
              expect(word.endSample).toBeGreaterThanOrEqual(word.startSample);
              expect(word.endSample).toBeLessThanOrEqual(24_000);
              expect(word.text).toMatch(/^\S+$/u);
              expect(word.confidence).toBeGreaterThanOrEqual(0);
              expect(word.confidence).toBeLessThanOrEqual(1);
            }
          }
        }
      }
    }),
    {
      numRuns: 200,
      // Found here: what has a toString of its own must not be asked for it.
      examples: [[['{"partial":"","partial_result":[{"word":{"toString":false}}]}']]],
    },
  );
});
