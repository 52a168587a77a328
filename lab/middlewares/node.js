// A middleware as the incident's was: for each call in, WEIR_GATHER calls out, side by side.
//
// Its fault is one line: it forwards its caller's headers as they are, Connection: keep-alive
// among them, through an agent that keeps no connection. So it promises the API to come back,
// closes after each answer, and is the one who keeps TIME_WAIT.
//
//   WEIR_LISTEN_HOST, WEIR_LISTEN_PORT   where callers come in
//   WEIR_UPSTREAMS                       base URLs of the API, by turns
//   WEIR_GATHER                          calls out per call in (3)
//   WEIR_ADMIN                           path of a Unix socket where gauges are told
//   POOL                                 at most so many connections an address (none)
//   KEEP_ALIVE                           yes: keep connections (no)
//   FORWARD                              no: do not hand the caller's headers on (yes)
//   IDLE_MS                              close a kept connection that is idle for so long (none)
//   LIBRARY                              fetch: Node's own (undici), which keeps connections (http)
//   TIMEOUT_MS                           give up a call after so long and close it (none)
'use strict';
const http = require('http');
const https = require('https');
const { monitorEventLoopDelay } = require('perf_hooks');

const { env } = process;
const upstreams = (env.WEIR_UPSTREAMS || env.WEIR_UPSTREAM || '')
  .split(',').filter(Boolean).map((u) => new URL(u));
if (upstreams.length === 0) {
  console.error('node.js: WEIR_UPSTREAMS is empty: give the base URL of the API');
  process.exit(2);
}
const gather = Number(env.WEIR_GATHER || 3);
const library = upstreams[0].protocol === 'https:' ? https : http;
const agent = new library.Agent({
  keepAlive: env.KEEP_ALIVE === 'yes', maxSockets: Number(env.POOL || Infinity),
  ...(env.IDLE_MS && { timeout: Number(env.IDLE_MS) }),
});
const timeout = Number(env.TIMEOUT_MS || 0);
let turn = 0;

async function byFetch(to, path, headers) {
  const signal = timeout ? AbortSignal.timeout(timeout) : null;
  try {
    const res = await fetch(new URL(path, to), { headers, signal });
    return { status: res.status, text: await res.text() };
  } catch (e) {
    return { status: 0, text: (e.cause || e).message };
  }
}

function byAgent(to, path, headers) {
  return new Promise((resolve) => {
    const req = library.get({
      host: to.hostname, port: to.port, path, agent, headers,
    }, (res) => {
      let text = '';
      res.setEncoding('utf8');
      res.on('data', (part) => { text += part; });
      res.on('end', () => resolve({ status: res.statusCode, text }));
      res.on('error', (e) => resolve({ status: 0, text: e.message }));
    });
    req.on('error', (e) => resolve({ status: 0, text: e.message }));
    if (timeout) {
      const timer = setTimeout(() => req.destroy(new Error(`no answer in ${timeout} ms`)), timeout);
      req.on('close', () => clearTimeout(timer));
    }
  });
}

function callOut(path, headers) {
  const to = upstreams[turn++ % upstreams.length];
  return env.LIBRARY === 'fetch' ? byFetch(to, path, headers) : byAgent(to, path, headers);
}

const server = http.createServer(async (req, res) => {
  const headers = env.FORWARD === 'no' ? {} : { ...req.headers };
  delete headers.host;
  const calls = [];
  for (let i = 0; i < gather; i++) calls.push(callOut(req.url, headers));
  const answers = await Promise.all(calls);
  const bad = answers.find((a) => a.status !== 200);
  if (bad) {
    res.writeHead(502, { 'Content-Type': 'text/plain' });
    res.end(bad.text);
    return;
  }
  res.writeHead(200, { 'Content-Type': 'application/json' });
  res.end(JSON.stringify(answers.map((a) => a.text)));
});

server.listen({
  host: env.WEIR_LISTEN_HOST || '127.0.0.1',
  port: Number(env.WEIR_LISTEN_PORT || env.PORT || 8080),
  backlog: 4096,
});

// How late the event loop was, at worst, since the last reading.
if (env.WEIR_ADMIN) {
  const delay = monitorEventLoopDelay({ resolution: 10 });
  delay.enable();
  http.createServer((req, res) => {
    const worst = delay.max / 1e6;
    delay.reset();
    res.writeHead(200, { 'Content-Type': 'application/json' });
    res.end(JSON.stringify({ loop_delay_ms: worst > 0 && worst < 1e7 ? worst : 0 }));
  }).listen(env.WEIR_ADMIN);
}
