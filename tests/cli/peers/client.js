// node client.js URL: what a program with fetch (undici) and one with http.Agent does, through it.
'use strict';
const http = require('http');
const crypto = require('crypto');
const { Readable } = require('stream');

const base = process.argv[2];
const size = 20 << 20;
const sha = (bytes) => crypto.createHash('sha256').update(bytes).digest('hex');
const expect = (truth, what) => {
  if (!truth) throw new Error(what);
};

async function withFetch() {
  const answer = await fetch(`${base}/bytes/${size}`);
  const bytes = Buffer.from(await answer.arrayBuffer());
  expect(bytes.length === size, 'download is short');
  expect(answer.headers.get('x-sha256') === sha(bytes), 'download differs');
  for (const body of [bytes, Readable.from([bytes.subarray(0, 1000), bytes.subarray(1000)])]) {
    const echo = await fetch(`${base}/echo`, { method: 'POST', body, duplex: 'half' });
    const seen = await echo.json();
    expect(seen.length === size && seen.sha256 === sha(bytes), 'upload differs');
    expect(seen.chunked === (body !== bytes), 'framed otherwise');
  }
  const many = await Promise.all(Array.from({ length: 200 }, async (_, i) => {
    const r = await fetch(`${base}/bytes/${i}`);
    return (await r.arrayBuffer()).byteLength === i;
  }));
  expect(many.every(Boolean), 'many at once');
  const head = await fetch(`${base}/bytes/77`, { method: 'HEAD' });
  expect(head.headers.get('content-length') === '77', 'HEAD');
}

function once(agent, options, body) {
  return new Promise((resolve, reject) => {
    const request = http.request(`${base}${options.path}`, { agent, ...options }, (answer) => {
      const parts = [];
      const port = answer.socket.localPort;
      answer.on('data', (part) => parts.push(part));
      answer.on('end', () => resolve({ answer, port, body: Buffer.concat(parts) }));
      answer.on('error', reject);
    });
    request.on('error', reject);
    if (options.headers && options.headers.Expect) request.on('continue', () => request.end(body));
    else request.end(body);
  });
}

async function withAgent() {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const ports = new Set();
  for (let i = 0; i < 50; i++) {
    const { answer, port, body } = await once(agent, { path: `/bytes/${i * 100}` });
    expect(answer.statusCode === 200 && body.length === i * 100, 'keep-alive');
    ports.add(port);
  }
  expect(ports.size === 1, 'the connection was not kept');
  const { body } = await once(agent, {
    path: '/echo', method: 'PUT', headers: { Expect: '100-continue', 'Content-Length': 5 },
  }, 'hello');
  expect(JSON.parse(body).length === 5, '100-continue');
  agent.destroy();
}

withFetch().then(withAgent).then(() => console.log('ok'), (why) => {
  console.error(why);
  process.exit(1);
});
