// node matrix.js {core|undici} URL CA [PROXY]: each job of the matrix, by one of Node's two clients;
// a line for each that went well. URL is where the API is, as the client sees it.
'use strict';
const crypto = require('crypto');
const fs = require('fs');
const http = require('http');
const https = require('https');
const { Readable } = require('stream');

const [kind, base, caFile, proxy] = process.argv.slice(2);
const ca = fs.readFileSync(caFile);
const url = new URL(base);
const body = crypto.randomBytes(1 << 20);
const sha = (bytes) => crypto.createHash('sha256').update(bytes).digest('hex');
const expect = (truth, what) => {
  if (!truth) throw new Error(what);
};
const whole = async (stream) => {
  const parts = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts);
};

// A connection to the API by CONNECT, the way tunnel agents do it.
function tunnel(done) {
  const via = new URL(proxy);
  const to = `${url.hostname}:${url.port}`;
  const ask = http.request({ host: via.hostname, port: via.port, method: 'CONNECT', path: to, headers: { Host: to } });
  ask.on('connect', (answer, socket, head) => {
    if (answer.statusCode !== 200 || head.length) done(new Error(`CONNECT: ${answer.statusCode}`));
    else done(null, require('tls').connect({ socket, ca, servername: url.hostname }));
  });
  ask.on('error', done);
  ask.end();
}

// ask(method, path, body): {status, headers, port, body: a stream}
function core() {
  const secure = url.protocol === 'https:';
  const agent = new (secure ? https : http).Agent({ keepAlive: true, maxSockets: 2, ca });
  if (proxy && secure) agent.createConnection = (_, done) => { tunnel(done); };
  const ports = new WeakMap();
  let count = 0;
  return {
    ask: (method, path, sent) => new Promise((resolve, reject) => {
      const through = proxy && !secure ? new URL(proxy) : url;
      const options = { agent, method, host: through.hostname, port: through.port,
        path: proxy && !secure ? `${base}${path}` : path, headers: { Host: url.host } };
      if (Buffer.isBuffer(sent)) options.headers['Content-Length'] = sent.length;
      const request = (secure ? https : http).request(options, (answer) => {
        if (!ports.has(answer.socket)) ports.set(answer.socket, ++count);
        resolve({ status: answer.statusCode, headers: answer.headers, port: ports.get(answer.socket), body: answer });
      });
      request.on('error', reject);
      if (sent && !Buffer.isBuffer(sent)) sent.pipe(request);
      else request.end(sent);
    }),
    end: () => agent.destroy(),
  };
}

function undici() {
  const { Agent, ProxyAgent, request } = require('undici');
  const options = { connections: 2, connect: { ca } };
  const agent = proxy ? new ProxyAgent({ uri: proxy, requestTls: { ca } }) : new Agent(options);
  return {
    ask: async (method, path, sent) => {
      const { statusCode, headers, body: got } = await request(`${base}${path}`, { dispatcher: agent, method, body: sent });
      return { status: statusCode, headers, port: 0, body: got };
    },
    end: () => agent.close(),
  };
}

const { ask, end } = kind === 'core' ? core() : undici();

async function checked(path, n) {
  const answer = await ask('GET', path);
  const bytes = await whole(answer.body);
  expect(answer.status === 200 && bytes.length === n && answer.headers['x-sha256'] === sha(bytes), path);
  return answer;
}

async function upload(sent, chunked) {
  const answer = await ask('POST', '/echo', sent);
  const seen = JSON.parse(await whole(answer.body));
  expect(seen.length === body.length && seen.sha256 === sha(body) && seen.chunked === chunked, 'upload');
}

const jobs = {
  get: () => checked('/bytes/5000', 5000),
  large: () => checked(`/bytes/${8 << 20}`, 8 << 20),
  post: () => upload(body, false),
  chunked: () => upload(Readable.from([body.subarray(0, 77), body.subarray(77)]), true),
  async stream() {
    const answer = await ask('GET', '/stream/' + process.pid);
    let seen = '';
    for await (const part of answer.body) {
      seen += part;
      if (seen === 'first\n') await whole((await ask('GET', '/go/' + process.pid)).body);
    }
    expect(seen === 'first\nsecond\n', seen);
  },
  async reuse() {
    const ports = new Set();
    for (let i = 0; i < 20; i++) ports.add((await checked(`/bytes/${i * 99}`, i * 99)).port);
    expect(ports.size === 1, 'the connection was not kept');
  },
  async head() {
    const answer = await ask('HEAD', '/bytes/77');
    expect(answer.headers['content-length'] === '77' && (await whole(answer.body)).length === 0, 'HEAD');
  },
  async none() {
    const answer = await ask('GET', '/none');
    expect(answer.status === 204 && (await whole(answer.body)).length === 0, '204');
  },
  async moved() {
    const answer = await ask('GET', '/moved');
    await whole(answer.body);
    expect(answer.status === 302, '302');
    await checked(answer.headers.location, 9);
  },
};

(async () => {
  for (const name of Object.keys(jobs)) {
    await jobs[name]();
    console.log(name);
  }
  await end();
})().catch((why) => {
  console.error(why);
  process.exit(1);
});
