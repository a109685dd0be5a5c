// Import directions (ARCHITECTURE.md): contracts <- platform <- every other workspace; services never
// import each other; inside media, asr and transcripts the pure rooms know nothing of sockets or processes.
const services = [
  'host',
  'sip-endpoint',
  'gateway',
  'media',
  'asr',
  'transcripts',
  'post-call',
  'dashboard-api',
  'dashboard',
  'bench',
];
module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'contracts-imports-nothing',
      severity: 'error',
      from: { path: '^contracts/src' },
      to: { path: '^(platform|sip-tests|' + services.join('|') + ')/' },
    },
    {
      name: 'platform-imports-contracts-only',
      severity: 'error',
      from: { path: '^platform/src' },
      to: { path: '^(sip-tests|' + services.join('|') + ')/' },
    },
    ...services.map((name) => ({
      name: `${name}-imports-no-other-service`,
      severity: 'error',
      from: { path: `^${name}/(src|main)` },
      to: {
        path:
          '^(' +
          (name === 'bench' ? '' : 'sip-tests|') +
          services.filter((other) => other !== name).join('|') +
          ')/',
      },
    })),
    {
      name: 'sip-tests-imports-contracts-only',
      severity: 'error',
      from: { path: '^sip-tests/src' },
      to: { path: '^(platform|' + services.join('|') + ')/' },
    },
    {
      name: 'only-gateway-sip-imports-drachtio-srf',
      severity: 'error',
      from: { pathNot: '^(gateway/src/sip|sip-endpoint/test)/' },
      to: { path: 'node_modules/drachtio-srf' },
    },
    {
      name: 'media-pure-rooms',
      severity: 'error',
      from: { path: '^media/src/(rtp|rtcp|srtp|jitter|codec|dsp|vad|timeline)/' },
      to: {
        path: [
          '^media/src/(stages|leg|spool|worker|asr-link|commit-link)/',
          '^platform/',
          '^(node:)?(net|dgram|fs|fs/promises|child_process)$',
        ],
      },
    },
    {
      name: 'media-stages-below-worker',
      severity: 'error',
      from: { path: '^media/src/(stages|leg|spool)/' },
      to: { path: '^media/src/worker/' },
    },
    {
      name: 'asr-pure-rooms',
      severity: 'error',
      from: { path: '^asr/src/(decode|features)/' },
      to: {
        path: [
          '^asr/src/(engine|server|models)/',
          '^platform/',
          '^(node:)?(net|fs|fs/promises|worker_threads)$',
          'onnxruntime-node',
        ],
      },
    },
    {
      name: 'transcripts-pure-rooms',
      severity: 'error',
      from: { path: '^transcripts/src/(assemble|document)/' },
      to: { path: ['^transcripts/src/(log|server)/', '^platform/', '^(node:)?(net|fs)$', 'node_modules/pg'] },
    },
    {
      name: 'gateway-pure-rooms',
      severity: 'error',
      from: { path: '^gateway/src/(admission|call|sdp|dialects|trace)/' },
      to: { path: ['^gateway/src/(sip|placement|journal)/', '^platform/', '^(node:)?(net|fs)$'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)(dist|data)/' },
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default'] },
    moduleSystems: ['es6', 'cjs'],
    tsPreCompilationDeps: true,
  },
};
