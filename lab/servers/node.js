// The API of the incident in Node: connections as its limit, a latency, and the same gauges as
// `weir origin --admin`. Beyond maxConnections Node accepts a connection and closes it, without a word.
//
//   WEIR_LISTEN_HOST, WEIR_LISTEN_PORT   where to listen
//   WEIR_ADMIN                           path of the Unix socket for the gauges
//   WEIR_LIMIT                           connections at once (none)
//   WEIR_LATENCY                         50ms, uniform(3s, 5s), mix(95%: 50ms, 5%: 3s)
//   WEIR_SEED                            of the latency's draws
//   BODY                                 bytes of the answer (3)
'use strict';
const http = require('http');

let state = Number(process.env.WEIR_SEED || 1) >>> 0;

// A number in [0, 1): mulberry32, alike in each run with the same seed.
function random() {
  state = (state + 0x6d2b79f5) >>> 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
}

function duration(text) {
  const m = /^\s*([\d.]+)(us|ms|s|m)\s*$/.exec(text);
  if (!m) throw new Error(`'${text}' is no duration`);
  return Number(m[1]) * { us: 0.001, ms: 1, s: 1000, m: 60000 }[m[2]];
}

// Splits at the commas outside brackets.
function parts(text) {
  const found = [''];
  let depth = 0;
  for (const c of text) {
    depth += (c === '(') - (c === ')');
    if (c === ',' && depth === 0) found.push('');
    else found[found.length - 1] += c;
  }
  return found;
}

// A function that draws one latency in milliseconds.
function latencyOf(text) {
  const call = /^\s*(\w+)\((.*)\)\s*$/.exec(text);
  if (!call) {
    const fixed = duration(text);
    return () => fixed;
  }
  const args = parts(call[2]);
  if (call[1] === 'uniform' && args.length === 2) {
    const [low, high] = args.map(duration);
    return () => low + random() * (high - low);
  }
  if (call[1] !== 'mix') throw new Error(`'${text}': known are 50ms, uniform and mix`);
  const rows = args.map((a) => {
    const at = a.indexOf(':');
    return { share: parseFloat(a.slice(0, at)) / 100, draw: latencyOf(a.slice(at + 1)) };
  });
  return () => {
    let u = random();
    const row = rows.find((r) => (u -= r.share) < 0) || rows[rows.length - 1];
    return row.draw();
  };
}

const limit = Number(process.env.WEIR_LIMIT || Infinity);
const latency = latencyOf(process.env.WEIR_LATENCY || '0ms');
const body = 'x'.repeat(Number(process.env.BODY || 3));
const gauges = { peak: 0, running: 0, accepted: 0, refused: 0, requests: 0, answered: 0 };
const sockets = new Set();

const server = http.createServer((req, res) => {
  const { socket } = req;
  gauges.requests++;
  socket.calls = (socket.calls || 0) + 1;
  setTimeout(() => {
    socket.calls--;
    gauges.answered++;
    res.end(body);
  }, latency());
});
if (limit !== Infinity) server.maxConnections = limit;
server.on('connection', (socket) => {
  sockets.add(socket);
  gauges.accepted++;
  gauges.peak = Math.max(gauges.peak, sockets.size);
  socket.on('close', () => sockets.delete(socket));
});
server.on('drop', () => {
  gauges.accepted++;
  gauges.refused++;
});
server.listen({ host: process.env.WEIR_LISTEN_HOST, port: Number(process.env.WEIR_LISTEN_PORT), backlog: 4096 });

function report() {
  const running = [...sockets].filter((s) => s.calls > 0).length;
  return JSON.stringify({
    schema: 'weir.origin/1', pid: process.pid, uptime_ms: process.uptime() * 1000,
    limit: limit === Infinity ? null : limit, latency: process.env.WEIR_LATENCY || '0ms',
    full: 'close', hangup: 'at-once', workers: null, queue: 0,
    slots: { used: sockets.size, peak: gauges.peak, idle: sockets.size - running, running, abandoned: 0, over: 0 },
    accepted: gauges.accepted, refused: gauges.refused, requests: gauges.requests, answered: gauges.answered,
    hangups: null,
  });
}
if (process.env.WEIR_ADMIN) {
  http.createServer((req, res) => {
    res.writeHead(200, { 'Content-Type': 'application/json' });
    res.end(report());
  }).listen(process.env.WEIR_ADMIN);
}
