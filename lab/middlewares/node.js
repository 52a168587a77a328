// A middleware as the incident's was: for each call in, WEIR_GATHER calls out, side by side.
//
// Its fault is one line: it forwards its caller's headers as they are, Connection: keep-alive
// among them, through an agent that keeps no connection. So it promises the API to come back,
// closes after each answer, and is the one who keeps TIME_WAIT.
//
//   WEIR_LISTEN_HOST, WEIR_LISTEN_PORT   where callers come in
//   WEIR_UPSTREAMS                       base URLs of the API, by turns
//   WEIR_GATHER                          calls out per call in (3)
//   POOL                                 at most so many connections an address (none)
'use strict';
const http = require('http');

const upstreams = (process.env.WEIR_UPSTREAMS || process.env.WEIR_UPSTREAM || '')
  .split(',').filter(Boolean).map((u) => new URL(u));
const gather = Number(process.env.WEIR_GATHER || 3);
const pool = Number(process.env.POOL || Infinity);
const agent = new http.Agent({ keepAlive: false, maxSockets: pool });
let turn = 0;

if (upstreams.length === 0) {
  console.error('node.js: WEIR_UPSTREAMS is empty: give the base URL of the API');
  process.exit(2);
}

function callOut(path, headers) {
  const to = upstreams[turn++ % upstreams.length];
  return new Promise((resolve) => {
    const req = http.get({
      host: to.hostname, port: to.port || 80, path, agent, headers,
    }, (res) => {
      let text = '';
      res.setEncoding('utf8');
      res.on('data', (part) => { text += part; });
      res.on('end', () => resolve({ status: res.statusCode, text }));
      res.on('error', (e) => resolve({ status: 0, text: e.message }));
    });
    req.on('error', (e) => resolve({ status: 0, text: e.message }));
  });
}

const server = http.createServer(async (req, res) => {
  const headers = { ...req.headers };
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
  host: process.env.WEIR_LISTEN_HOST || '127.0.0.1',
  port: Number(process.env.WEIR_LISTEN_PORT || process.env.PORT || 8080),
  backlog: 4096,
});
