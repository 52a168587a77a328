// waves.js agent|closing|fetch URL: three waves of twenty calls at once, each wave after the last:
// with the agent that Node has by default, with one that says close, as it was up to Node 18, or
// with fetch.
"use strict";

const http = require("http");

const [manner, url] = process.argv.slice(2);
const agent = manner === "closing" ? new http.Agent({ keepAlive: false }) : http.globalAgent;

function get() {
	return new Promise((resolve, reject) => {
		http.get(url, { agent }, (answer) => {
			answer.resume();
			answer.on("end", resolve);
		}).on("error", reject);
	});
}

const call = manner === "fetch" ? async () => (await fetch(url)).text() : get;

(async () => {
	for (let wave = 0; wave < 3; wave++) {
		await Promise.all(Array.from({ length: 20 }, call));
		// what comes back is put away in a later turn
		await new Promise((resolve) => setImmediate(resolve));
	}
	process.exit(0);
})();
