// What a browser does: many images at once, a download, uploads, server-sent events, a WebSocket.
'use strict';
const hex = (buffer) => [...new Uint8Array(buffer)].map((b) => b.toString(16).padStart(2, '0')).join('');
const sha = async (bytes) => hex(await crypto.subtle.digest('SHA-256', bytes));

const jobs = {
  async images() {
    const all = Array.from({ length: 24 }, (_, i) => new Promise((resolve, reject) => {
      const image = new Image();
      image.onload = () => resolve(image.naturalWidth);
      image.onerror = () => reject(new Error(`image ${i}`));
      image.src = `/image/${i}`;
      document.getElementById('images').append(image);
    }));
    return (await Promise.all(all)).join(' ');
  },
  async download() {
    const answer = await fetch(`/bytes/${16 << 20}`);
    const bytes = await answer.arrayBuffer();
    return bytes.byteLength === 16 << 20 && await sha(bytes) === answer.headers.get('x-sha256');
  },
  async upload() {
    const body = new Uint8Array(3 << 20).map((_, i) => i * 7);
    const seen = await (await fetch('/echo', { method: 'POST', body })).json();
    return seen.length === body.length && seen.sha256 === await sha(body);
  },
  async form() {
    const form = new FormData();
    form.append('file', new Blob([new Uint8Array(100000)]), 'zeros');
    return (await (await fetch('/echo', { method: 'PUT', body: form })).json()).length > 100000;
  },
  async stream() {
    const id = crypto.randomUUID();
    const reader = (await fetch(`/stream/${id}`)).body.pipeThrough(new TextDecoderStream()).getReader();
    const first = (await reader.read()).value;
    await fetch(`/go/${id}`);
    let rest = '';
    for (let part; !(part = await reader.read()).done;) rest += part.value;
    return `${first}${rest}`;
  },
  events: () => new Promise((resolve, reject) => {
    const source = new EventSource('/events');
    const seen = [];
    source.onmessage = (event) => {
      seen.push(event.data);
      if (event.data !== 'last') return;
      source.close();
      resolve(seen.join(' '));
    };
    source.onerror = () => reject(new Error('events'));
  }),
  socket: () => new Promise((resolve, reject) => {
    const socket = new WebSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/socket`);
    const big = 'x'.repeat(200000);
    const sent = ['hello', big, 'bye'];
    const seen = [];
    socket.onopen = () => sent.forEach((text) => socket.send(text));
    socket.onmessage = (event) => {
      seen.push(event.data);
      if (seen.length === sent.length) socket.close(1000);
    };
    socket.onclose = (event) => resolve(event.code === 1000 && seen.every((text, i) => text === sent[i]));
    socket.onerror = () => reject(new Error('socket'));
  }),
  async moved() {
    const answer = await fetch('/moved');
    return answer.redirected && (await answer.arrayBuffer()).byteLength;
  },
};

(async () => {
  const said = {};
  for (const name of Object.keys(jobs)) {
    try {
      said[name] = await jobs[name]();
    } catch (why) {
      said[name] = `${why}`;
    }
    document.getElementById('said').textContent = JSON.stringify(said, null, 1);
  }
  document.title = 'done';
})();
