/*
 * model: what the page shows, out of a result (schema weir.lab/2, docs/json/lab.md).
 * Nothing here knows a page. A line is { name, colour, dash, points }, a point [x, y]; a
 * figure is { key, title, unit, format, holds, lines }; in one that holds, y stays so until
 * the next x; of one that is `least`, the smallest value is told.
 */
const model = (() => {
	const HOSTS = ['client', 'middleware', 'server'];
	const SIDES = { in: 'from its callers', out: 'towards those it calls' };
	const STATES = ['established', 'time_wait', 'fin_wait2', 'orphan_fin_wait2', 'close_wait',
		'fin_wait1', 'last_ack', 'closing', 'syn_sent', 'syn_recv'];
	const COUNTERS = {
		estab_resets: 'connections that ended in a reset',
		out_rsts: 'resets sent',
		listen_overflows: 'connections that found the listen queue full',
		retrans_segs: 'segments sent again',
		abort_on_close: 'closed with data unread (TCPAbortOnClose)',
		abort_on_data: 'data came after the close (TCPAbortOnData)',
		tw_overflow: 'TIME_WAIT without room',
		tw_recycled: 'TIME_WAIT used again',
	};
	/* Up to so many lines in a plot, all points of a sweep are shown at once. */
	const LINES_AT_ONCE = 6;

	/* The ninth has the first's colour again: it must not have its dashes too. */
	const dashes = i => i + Math.floor(i / plot.COLOURS);

	const seconds = ms => ms / 1000;
	const notNull = points => points.filter(([, y]) => y !== null && y !== undefined);

	/* Of load's intervals: each value stands for the time from its start to the next. The last
	 * may be cut short; by a request's distance it always is. */
	function perInterval(run, value) {
		const at = run.load ? run.load.intervals : [];
		const whole = at.length > 1 ? at[1].t_ms - at[0].t_ms : 1000;
		return notNull(at.map((now, i) => {
			const rest = i + 1 < at.length ? at[i + 1].t_ms - now.t_ms
				: run.load.ran_for_ms - now.t_ms;
			const span = rest > 0 && rest < 0.9 * whole ? rest : Math.max(rest, whole);
			return [seconds(now.t_ms), value(now, seconds(span))];
		}));
	}

	const perSecond = key => run => perInterval(run, (now, s) => now[key] / s);
	const latency = key => run => perInterval(run, now => now[key]);

	/* A column of the series, or the sum of several. */
	function column(run, names) {
		const at = run.series ? run.series.t_ms : [];
		const columns = names.map(name => run.series && run.series[name]).filter(Boolean);
		if (columns.length < names.length)
			return [];
		return notNull(at.map((t, i) => [seconds(t), columns.some(c => c[i] === null) ? null
			: columns.reduce((sum, c) => sum + c[i], 0)]));
	}

	const gauge = (...names) => run => column(run, names);
	/* What a counter grew by, each second up to the look. One that falls belonged to a
	 * program that has ended. */
	const growing = (...names) => run => {
		const points = column(run, names);
		return points.slice(1).map(([t, n], i) =>
			[t, (n - points[i][1]) / (t - points[i][0])]).filter(([, n]) => n >= 0);
	};
	/* A state that nobody was ever in has no column. */
	const sockets = (host, side, state) => run => {
		const name = `${host}.${side}.${state}`;
		return run.series && run.series[name] ? column(run, [name])
			: column(run, [`${host}.first.open`]).map(([t]) => [t, 0]);
	};
	const scaled = (points, by) => run => points(run).map(([t, n]) => [t, n * by]);

	/* Families of figures under one heading: [key, title, points of a run, more]. */
	const FAMILIES = {
		calls: { title: 'Calls', unit: 'per second', format: values.rate, figures: [
			['requests-in', 'Requests that came in', perSecond('started'), { holds: true }],
			['calls-out', 'Calls that reached the server, refused ones included',
				growing('server.requests', 'server.refused')],
		] },
		answers: { title: 'Answers, by kind', unit: 'per second', format: values.rate,
			note: 'Answers stand at the time their request was due.', figures: [
			['good', 'Good answers', perSecond('good'), { holds: true }],
			['late', 'Late answers', perSecond('late'), { holds: true }],
			['failed', 'Errors, and no answer', perSecond('failed'), { holds: true }],
			['refused', 'Calls the server refused', growing('server.refused')],
		] },
		latency: { title: 'Time until the answer', unit: '', format: values.duration,
			time: true, note: 'From the time a request was due, whatever the answer’s status.',
			figures: [
			['p50', 'Median', latency('p50_ms'), { holds: true }],
			['p99', '99th percentile', latency('p99_ms'), { holds: true }],
			['max', 'Longest', latency('max_ms'), { holds: true }],
		] },
		slots: { title: 'Slots', unit: 'slots', format: values.count, figures: [
			['slots-used', 'Taken, as the server counts', gauge('server.used')],
			['slots-idle', 'Taken by idle connections', gauge('server.idle')],
			['slots-abandoned', 'Taken by calls whose caller hung up',
				gauge('server.abandoned')],
			['slots-draining', 'Of the middleware: draining, calls it gave up',
				gauge('middleware.draining')],
			['slots-ghost', 'Of the middleware: ghosts, charged after a reset',
				gauge('middleware.ghost')],
		] },
		queues: { title: 'Queues', unit: 'waiting', format: values.count, figures: [
			['queue-middleware', 'Calls in the middleware’s queue',
				gauge('middleware.waiting')],
			['queue-server', 'Calls waiting inside the server', gauge('server.queue')],
		] },
		closes: { title: 'Connections to the server that ended', unit: 'per second',
			format: values.rate, figures: [
			['closed-middleware', 'Closed first by the middleware',
				growing('closes.out.local', 'closes.out.local-or-both')],
			['closed-server', 'Closed first by the server', growing('closes.out.peer')],
			['closed-both', 'Closed by both at once', growing('closes.out.both')],
			['closed-reset', 'Ended by a reset', growing('closes.out.reset')],
		] },
		machine: { title: 'Machine', unit: 'of one processor', format: values.share, figures: [
			...HOSTS.map(host => [`cpu-${host}`, `Used by the ${host}’s program`,
				scaled(growing(`${host}.cpu_ms`), 0.001)]),
			...HOSTS.map(host => [`cpu-wait-${host}`, `The ${host}’s program waited for one`,
				scaled(growing(`${host}.cpu_wait_ms`), 0.001)]),
			['loop-delay', 'The middleware’s event loop was late',
				gauge('middleware.loop_delay_ms'),
				{ unit: '', format: values.duration, time: true }],
		] },
	};

	const stateName = state => state === 'orphan_fin_wait2' ? 'FIN_WAIT2, no program left'
		: state.toUpperCase();

	function socketFigures(host) {
		const out = [];
		for (const side of Object.keys(SIDES)) {
			for (const state of STATES)
				out.push([`${host}-${side}-${state}`, `${stateName(state)} ${SIDES[side]}`,
					sockets(host, side, state)]);
		}
		out.push([`${host}-ports-left`, 'Ports left, towards the destination with fewest',
			gauge(`${host}.ports_left`), { unit: 'ports', least: true }]);
		for (const [key, title] of Object.entries(COUNTERS))
			out.push([`${host}-${key}`, `Kernel: ${title}`,
				gauge(`${host}.counters.${key}`), { unit: 'so far' }]);
		return out;
	}

	/* A family for some lines ({ name, colour, dash, run }): the figures that show
	 * something, and the titles of those at 0 for all. */
	function family(of, lines) {
		const shown = [], zero = [];
		for (const [key, title, points, more] of of.figures) {
			const drawn = lines.map(({ run, ...line }) => ({ ...line, points: points(run) }))
				.filter(line => line.points.length);
			if (!drawn.length)
				continue;
			if (drawn.some(line => line.points.some(([, y]) => y !== 0)))
				shown.push({ unit: of.unit, format: of.format, time: of.time, ...more, key,
					title, lines: drawn });
			else if (!of.quiet)
				zero.push(title);
		}
		return { title: of.title, note: of.note, shown, zero };
	}

	/* In the order of the page; `host` is whose sockets are shown. */
	function families(lines, host) {
		const seen = { title: 'Sockets', unit: 'sockets', format: values.count,
			quiet: true, figures: socketFigures(host) };
		return { ...Object.fromEntries(Object.entries(FAMILIES)
			.map(([key, of]) => [key, family(of, lines)])), sockets: family(seen, lines) };
	}

	/* How the lines of these variants look. Where each stands there once, its name is enough,
	 * and its dashes are its own. */
	function looks(variants) {
		const once = variants.length > 1 &&
			new Set(variants.map(v => v.name)).size === variants.length;
		return v => once ? { name: v.name, colour: v.colour, dash: dashes(v.colour) }
			: { name: v.label, colour: v.colour, dash: v.dash };
	}

	function curves(variants) {
		const look = looks(variants);
		return { key: 'latency-curves', title: 'Time until the answer, by share of answers',
			unit: '', format: values.duration, holds: true, closed: true, time: true,
			lines: variants.filter(v => v.histogram.length).map(v =>
				({ ...look(v), points: values.curve(v.histogram) })) };
	}

	/* ---- sweeps ---- */

	/* Parameters that there is something to see of: with several values. */
	const sweeps = act => act.sweep.filter(sweep => sweep.values.length > 1);

	const pointText = (point, but) => Object.entries(point).filter(([name]) => name !== but)
		.map(([name, value]) => `${name}=${value}`).join(' ');

	const FORMATS = { count: values.short, rate: values.rate, share: values.share,
		ms: values.duration };

	/* What a sweep is looked at for first, if it was measured and is not 0 everywhere. */
	const SWEPT_FIRST = {
		good_share: 'Good answers, of all requests',
		p50_ms: 'Time until the answer, median',
		p99_ms: 'Time until the answer, 99th percentile',
		refused_share: 'Refused, of calls to the server',
		goodput: 'Good answers',
		time_wait: 'Most sockets in TIME_WAIT towards the server',
		established: 'Most sockets in ESTABLISHED towards the server',
		ports_left: 'Fewest ports left',
	};
	const SWEPT_SHOWN = 6;

	/* A figure of the catalogue over a swept parameter: x is the number of the value in
	 * `values`, a point [x, [low, median, high]]. What does not sweep it is level. */
	function swept(act, sweep, figure) {
		const lines = new Map();
		for (const v of act.variants) {
			const known = v.figures[figure.key];
			if (!known)
				continue;
			const others = pointText(v.point, sweep.name);
			const name = others ? `${v.name} ${others}` : v.name;
			const at = sweep.name in v.point ? [sweep.values.indexOf(v.point[sweep.name])]
				: sweep.values.map((_, i) => i);
			if (!lines.has(name))
				lines.set(name, { name, colour: v.nameColour, dash: dashes(lines.size),
					points: [] });
			for (const x of at)
				lines.get(name).points.push([x, [known.low, known.median, known.high]]);
		}
		for (const line of lines.values())
			line.points.sort(([a], [b]) => a - b);
		return { key: `sweep-${sweep.name}-${figure.key}`, title: SWEPT_FIRST[figure.key] || `${figure.name}: ${figure.about}`,
			unit: { count: '', rate: 'per second', share: '', ms: '' }[figure.unit],
			format: FORMATS[figure.unit], time: figure.unit === 'ms', ticks: sweep.values,
			spread: act.repetitions > 1, lines: [...lines.values()] };
	}

	function shows(act, key) {
		return act.variants.some(v => v.figures[key] && v.figures[key].high !== 0);
	}

	function sweptFirst(result, act) {
		return Object.keys(SWEPT_FIRST).filter(key => shows(act, key)).slice(0, SWEPT_SHOWN)
			.map(key => result.figures.find(f => f.key === key)).filter(Boolean);
	}

	/* ---- acts ---- */

	/* One colour a variant in all of the page; only where an act has but one variant, at many
	 * points, these have a colour each. Points of one variant differ by their dashes. */
	function acts(result) {
		const colours = new Map();
		const colour = name => colours.set(name, colours.has(name) ? colours.get(name)
			: colours.size).get(name);
		return result.acts.map(act => {
			const names = [...new Set(act.variants.map(v => v.name))];
			names.forEach(colour);
			const seen = new Map();
			const variants = act.variants.map((v, i) => {
				const nth = seen.get(v.name) || 0;
				seen.set(v.name, nth + 1);
				const alone = names.length === 1;
				return { ...v, nameColour: colour(v.name), colour: alone ? i : colour(v.name),
					dash: act.sweep.length && !alone && act.variants.length > plot.COLOURS ? nth
						: dashes(act.sweep.length ? i : colour(v.name)) };
			});
			return { ...act, variants };
		});
	}

	/* The choices of points to look at: null is all of them. */
	function points(act) {
		const all = new Map();
		for (const v of act.variants) {
			if (Object.keys(v.point).length)
				all.set(pointText(v.point), v.point);
		}
		const choices = [...all].map(([text, point]) => ({ text, point }));
		if (act.variants.length <= LINES_AT_ONCE)
			choices.unshift({ text: 'all', point: null });
		else
			choices.push({ text: 'all', point: null });
		return choices;
	}

	/* Variants at a point; one that does not sweep stands at all of them. */
	function at(act, point) {
		return act.variants.filter(v => !point || Object.entries(v.point)
			.every(([name, value]) => point[name] === undefined || point[name] === value));
	}

	/* The repetition's run of each variant, as lines without points yet. */
	function lines(variants, repetition) {
		const look = looks(variants);
		return variants.map(v => ({ ...look(v),
			run: v.runs.find(run => run.repetition === repetition) })).filter(line => line.run);
	}

	/* Error answers by their text, the most frequent first: who got each how often. */
	function words(variants) {
		const by = new Map();
		for (const v of variants) {
			for (const w of v.words) {
				const key = w.text;
				if (!by.has(key))
					by.set(key, { text: w.text, count: 0, seen: [] });
				by.get(key).seen.push({ name: v.label, count: w.count, status: w.status });
				by.get(key).count += w.count;
			}
		}
		return [...by.values()].sort((a, b) => b.count - a.count);
	}

	/* When the last line of an act ends, in seconds. */
	function endOf(act) {
		const ends = act.variants.flatMap(v => v.runs.flatMap(run => [
			...(run.series ? run.series.t_ms.slice(-1) : []),
			...(run.load ? [run.load.ran_for_ms] : [])]));
		return ends.length ? Math.max(1, Math.ceil(seconds(Math.max(...ends)))) : 0;
	}

	return { HOSTS, acts, at, curves, endOf, families, lines, points, sweeps, swept,
		sweptFirst, words };
})();
