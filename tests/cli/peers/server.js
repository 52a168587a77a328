// node server.js [CERT KEY]: the API of tests/byteserver.py on Node's http or https; says its port.
'use strict';
const crypto = require('crypto');
const fs = require('fs');

const [cert, key] = process.argv.slice(2);
const block = Buffer.from(Array.from({ length: 251 * 4177 }, (_, i) => i % 251));
const sha = (bytes) => crypto.createHash('sha256').update(bytes).digest('hex');
const gates = {};
const gate = (id) => {
  if (!gates[id]) {
    gates[id] = {};
    gates[id].opened = new Promise((open) => { gates[id].open = open; });
  }
  return gates[id];
};

async function serve(request, answer) {
  const [, what, which] = request.url.split('/');
  if (what === 'bytes') {
    const n = Number(which);
    const body = Buffer.concat(Array(Math.ceil(n / block.length)).fill(block)).subarray(0, n);
    answer.writeHead(200, { 'Content-Length': n, 'X-Sha256': sha(body) }).end(body);
  } else if (what === 'echo') {
    const parts = [];
    for await (const part of request) parts.push(part);
    const body = Buffer.concat(parts);
    answer.end(JSON.stringify({ sha256: sha(body), length: body.length,
      chunked: 'transfer-encoding' in request.headers }));
  } else if (what === 'stream') {
    answer.write('first\n');
    await gate(which).opened;
    answer.end('second\n');
  } else if (what === 'go') {
    gate(which).open();
    answer.end('gone');
  } else if (what === 'none') {
    answer.writeHead(204).end();
  } else {
    answer.writeHead(302, { Location: '/bytes/9' }).end('there');
  }
}

const server = cert
  ? require('https').createServer({ cert: fs.readFileSync(cert), key: fs.readFileSync(key) }, serve)
  : require('http').createServer(serve);
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
