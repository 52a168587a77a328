/* page: puts the report into the document, section by section. */
(() => {
	const { el, svg, button, save, swatch, table, column, facts } = parts;
	const { result, verdicts } = JSON.parse(document.getElementById('data').textContent);
	const scenario = result.scenario;

	const manyTimes = n => n === 1 ? 'once' : `${values.count(n)} times`;
	const begun = () => new Date(result.started_at_ms).toISOString()
		.replace('T', ' ').replace(/\.\d+Z/, ' UTC');

	/* ---- the table of variants ---- */

	const titleOf = act => values.capital(values.visible(act.title));
	const nameColumn = { title: 'Variant', keys: ['variant'], raw: v => [v.label], show: v => [
		swatch(v.colour, v.dash), values.visible(v.label), v.valid ? null
			: el('span', { class: 'mark' }, ' (!)', el('span', { class: 'hidden' }, ' not valid'))] };

	const plainRate = n => values.rate(n).replace('/s', '');

	/* A median, and under it the spread where there is one. */
	function measured(group, title, key, format, unit) {
		return { group, title, unit, keys: [key, `${key}_low`, `${key}_high`],
			raw: v => v.figures[key] ? ['median', 'low', 'high'].map(k => v.figures[key][k])
				: [null, null, null],
			show: v => {
				const known = v.figures[key];
				if (!known)
					return '–';
				return [format(known.median), format(known.low) === format(known.high) ? null
					: el('span', { class: 'spread' },
						values.range(format, known.low, known.high))];
			} };
	}

	function variantsTable(act, of) {
		const state = (name, key) => [measured(name, 'in', `in_${key}`, values.count),
			measured(name, 'out', key, values.count)];
		const caption = `What each variant came to${act.repetitions > 1
			? `: medians of ${act.repetitions} runs, and their spread` : ', in one run'}. ` +
			'Sockets are the most seen on the middleware’s host, from its callers (in) and ' +
			'towards the server (out).';
		return table(caption, [...of.words, 'variants'], [nameColumn,
			measured('Calls', 'in', 'in', plainRate, 'per s'),
			measured('Calls', 'out', 'out', plainRate, 'per s'),
			measured('Calls', 'refused', 'refused', values.count),
			measured('Answers', 'good', 'good', values.count),
			measured('Answers', 'late', 'late', values.count),
			measured('Answers', 'errors', 'failed', values.count),
			measured('Answers', 'none', 'unanswered', values.count),
			measured('Until the answer', 'median', 'p50_ms', values.duration),
			measured('Until the answer', '99%', 'p99_ms', values.duration),
			measured('Until the answer', 'longest', 'max_ms', values.duration),
			...state('ESTABLISHED', 'established'), ...state('TIME_WAIT', 'time_wait'),
			...state('FIN_WAIT2', 'fin_wait2'),
			measured('Most slots of the server', 'taken', 'slots_peak', values.count),
			measured('Most slots of the server', 'of', 'slots_limit', values.count),
			measured('Most slots of the server', 'caller gone', 'abandoned', values.count),
		], act.variants);
	}

	/* Each figure of the catalogue for each variant. */
	function allFigures(act, of) {
		const one = v => ({ title: values.visible(v.label),
			keys: [`${v.label} median`, `${v.label} low`, `${v.label} high`],
			raw: f => measured('', '', f.key).raw(v),
			show: f => measured('', '', f.key, formatOf(f.unit)).show(v) });
		const name = { title: 'Figure', keys: ['figure', 'unit'], raw: f => [f.key, f.unit],
			show: f => [el('b', {}, f.name), el('span', { class: 'spread' }, f.about)] };
		return el('details', {}, el('summary', {}, `All ${result.figures.length} figures`),
			table('All figures of all variants', [...of.words, 'figures'],
				[name, ...act.variants.map(one)], result.figures));
	}

	const formatOf = unit => ({ count: n => values.count(n), rate: values.rate,
		share: values.share, ms: values.duration })[unit] || values.significant;

	/* ---- who closed first ---- */

	const FIRST = [
		['local', 'the middleware', n => n.local + n['local-or-both']],
		['peer', 'the server', n => n.peer],
		['both', 'both at once', n => n.both],
		['reset', 'nobody: a reset', n => n.reset],
		['unknown', 'not known', n => n.unknown],
	];
	const WHY = {
		'after-answer': 'after an answer (no keep-alive, or a full pool)',
		idle: 'idle for long',
		'no-answer': 'no answer came (a timeout)',
		refused: 'the server spoke, and had read nothing',
		'unread-data': 'closed with bytes unread',
		abort: 'reset by the middleware, on purpose',
		'peer-reset': 'reset by the server, or given up by the kernel',
		unused: 'not a byte either way',
		unknown: 'not known',
	};

	function patterns() {
		const pattern = (id, ...inside) => svg('pattern', { id, width: 6, height: 6,
			patternUnits: 'userSpaceOnUse', class: 'pattern' }, ...inside);
		return svg('svg', { width: 0, height: 0, 'aria-hidden': 'true', class: 'hidden' },
			pattern('slant', svg('path', { d: 'M0 6L6 0M-1 1L1 -1M5 7L7 5' })),
			pattern('dots', svg('circle', { cx: 2, cy: 2, r: 0.9 })),
			pattern('cross', svg('path', { d: 'M0 0L6 6M0 6L6 0' })));
	}

	function shareBar(counts) {
		const total = counts.reduce((sum, n) => sum + n, 0);
		const bar = svg('svg', { class: 'share', 'aria-hidden': 'true' });
		let at = 0;
		counts.forEach((n, i) => {
			if (n)
				bar.append(svg('rect', { x: `${at / total * 100}%`, y: 0, height: '100%',
					width: `${n / total * 100}%`, class: `p${i}` }));
			at += n;
		});
		return total ? bar : '–';
	}

	function closesSection(act, of) {
		const id = `${of.id}-closes`;
		const all = v => FIRST.map(([, , count]) => count(v.closes.out.first));
		const sum = v => all(v).reduce((n, one) => n + one, 0);
		const rows = act.variants.filter(v => v.closes && sum(v) > 0);
		const none = act.variants.filter(v => !rows.includes(v)).map(v => v.label);
		const section = el('section', { 'aria-labelledby': id },
			el('h3', { id }, 'Who closed first, and why'));
		if (none.length)
			section.append(el('p', {}, `No connection to the server ended: ${
				values.visible(none.join(', '))}.`));
		if (!rows.length)
			return section;
		const share = (n, v) => n ? `${values.count(n)} (${values.share(n / sum(v))})` : '0';
		const first = FIRST.map(([key, title, count]) => ({ group: 'Closed first by', title,
			keys: [key], raw: v => [count(v.closes.out.first)],
			show: v => share(count(v.closes.out.first), v) }));
		const why = Object.entries(WHY).filter(([key]) => rows.some(v => v.closes.out.why[key]))
			.map(([key, title]) => ({ title, keys: [key], raw: v => [v.closes.out.why[key]],
				show: v => share(v.closes.out.why[key], v), kind: 'text' }));
		section.append(el('ul', { class: 'key', 'aria-hidden': 'true' }, FIRST.map(([, title], i) =>
			el('li', {}, svg('svg', {}, svg('rect', { width: '100%', height: '100%',
				class: `p${i}` })), title))),
			table('Connections to the server that ended, over all runs, by who closed first',
				[...of.words, 'closed first'], [nameColumn,
					column('ended', 'ended', sum, values.count, { group: '' }),
					{ group: '', title: 'shares', kind: 'bar', show: v => shareBar(all(v)) },
					...first], rows),
			table('The same connections, by why they were closed', [...of.words, 'why closed'],
				[nameColumn, ...why], rows));
		return section;
	}

	/* ---- words ---- */

	function quoted(w) {
		const seen = w.seen.map(s => `${values.visible(s.name)} (${manyTimes(s.count)}${
			s.status ? `, status ${s.status}` : ''})`);
		return el('blockquote', {}, el('p', { class: 'words' }, values.visible(w.text)),
			el('footer', {}, `Got by ${seen.join(', ')}`));
	}

	function errorsTable(act, of) {
		const rows = act.variants.flatMap(v => v.runs.flatMap(run =>
			(run.load ? run.load.errors : []).map(e => ({ ...v, error: e,
				repetition: run.repetition }))));
		if (!rows.length)
			return null;
		const of_ = (title, key, format, more) =>
			column(title, key, row => row.error[key], format, more);
		return el('details', {}, el('summary', {}, 'All that callers got instead of good answers'),
			table('Errors as the callers got them', [...of.words, 'errors'], [nameColumn,
				of_('Count', 'count', values.count),
				of_('Text', 'text', text => el('span', { class: 'words' }, values.visible(text)),
					{ kind: 'text' }),
				of_('Status', 'status', String), of_('Kind', 'kind', String),
				column('Run', 'run', row => row.repetition, String),
				of_('First', 'first_ms', values.duration),
				of_('Last', 'last_ms', values.duration)], rows));
	}

	const WORDS_SHOWN = 4;
	const OWN = /^weir: /;

	function wordsSection(acts) {
		const made = acts.flatMap(act => {
			const words = model.words(act.variants);
			const servers = words.filter(w => !OWN.test(w.text));
			const own = words.filter(w => OWN.test(w.text));
			return [acts.length > 1 ? el('h3', {}, titleOf(act)) : null,
				servers.length ? null : el('p', {}, 'The server sent no error answer with a text.'),
				...servers.slice(0, WORDS_SHOWN).map(quoted),
				servers.length > WORDS_SHOWN ? el('details', {}, el('summary', {},
					`${values.count(servers.length - WORDS_SHOWN)} more`),
				servers.slice(WORDS_SHOWN).map(quoted)) : null,
				own.length ? el('p', {}, 'What weir itself told the callers:') : null,
				...own.map(quoted), errorsTable(act, placeOf(act))];
		});
		return el('section', { 'aria-labelledby': 'words' },
			el('h2', { id: 'words' }, 'The server’s own words'), el('p', { class: 'quiet' },
				'Texts of error answers, verbatim: as the server sent them where weir stood ' +
				'between, else as the program between passed them on, or made them itself.'), made);
	}

	/* ---- acts ---- */

	const placeOf = act => ({ id: `act-${result.acts.findIndex(a => a.name === act.name)}`,
		words: [scenario.name, act.name], scenario: scenario.name });

	function verdictOf(v, act, alone) {
		const sentence = (label, text) => text
			? el('p', {}, el('b', {}, label), values.prose(text)) : null;
		return el('div', { class: 'verdict' }, alone ? null : el('h3', {}, titleOf(act)),
			v.invalid ? el('p', { class: 'invalid' }, values.prose(v.invalid)) : null,
			sentence('What was wrong', v.wrong), sentence('What shows it', v.shows),
			sentence('What cures it, and at what price', v.cures),
			v.wrong && act.repetitions > 1 ? el('p', { class: 'quiet' },
				`Figures are medians of ${act.repetitions} runs.`) : null);
	}

	function settingOf(act) {
		const swept = name => act.sweep.some(s => s.name === name) ? 'swept' : null;
		return facts([
			['Requests', act.rate === null ? swept('rate') || 'as the callers’ program makes them'
				: `${values.rate(act.rate)} for ${values.setting(act.for_ms)}`],
			['Warm-up, in no figure', act.warm_up_ms ? values.setting(act.warm_up_ms) : null],
			['Calls out for each', act.calls === null ? swept('calls') : act.calls],
			['Callers wait', act.patience_ms === null ? 'for ever'
				: `${values.setting(act.patience_ms)}; what comes later is late`],
			['Server', act.server],
			['The server’s slots', act.limit === null ? swept('limit') || 'no limit'
				: values.count(act.limit)],
			['The server takes', act.latency === null ? swept('latency') : act.latency],
			['Its addresses', act.addresses],
			...act.sweep.map(s => [`Swept: ${s.name}`, s.values.join(', ')]),
			['Repetitions', act.repetitions]]);
	}

	const HELD = { true: '✓ held', false: '✗ did not hold', null: '? not judged' };

	function expectTable(act, of) {
		if (!act.expect.length)
			return null;
		const unit = { count: n => n.toLocaleString('en-US', { maximumFractionDigits: 3 }), rate: values.rate,
			share: values.share, s: s => values.duration(s * 1000) };
		const side = (title, key) => column(title, key, e => e[key], n => n,
			{ show: e => e[key] === null ? '–' : String(unit[e.unit](e[key])) });
		const known = column => act.expect.some(e => column.raw(e)[0] !== null);
		return table('What was expected of the figures', [...of.words, 'expect'], [
			{ title: 'Expected', keys: ['text'], raw: e => [e.text],
				show: e => el('code', {}, values.visible(e.text)) },
			column('Result', 'held', e => e.held, String,
				{ show: e => el('span', { class: e.held ? null : 'mark' }, HELD[e.held]) }),
			side('Left', 'left'), side('Right', 'right'),
			column('Line', 'line', e => e.line, String),
			column('At', 'point', e => Object.entries(e.point)
				.map(([name, value]) => `${name}=${value}`).join(' ') || null, values.visible),
			column('Why', 'why', e => e.why, values.visible, { kind: 'text' })].filter(known),
			act.expect);
	}

	function actSection(act, acts) {
		const of = placeOf(act);
		const made = [charts.timeLines(act, of), charts.latencyCurves(act, of, nameColumn)];
		if (model.sweeps(act).length)
			made.unshift(charts.sweeps(result, act, of));
		const section = el('section', { 'aria-labelledby': of.id },
			el('h2', { id: of.id }, titleOf(act)),
			act.about ? el('p', {}, values.visible(act.about)) : null, settingOf(act),
			act.missing.map(m => el('p', {}, `Not run: ${values.visible(m)}.`)),
			act.variants.filter(v => !v.valid).map(v => el('p', { class: 'mark' },
				`(!) ${values.visible(v.label)}: ${values.visible(v.invalid_why || 'not valid')}`)),
			el('h3', {}, 'The variants side by side'), variantsTable(act, of), allFigures(act, of),
			act.says.length ? el('details', {}, el('summary', {}, 'In sentences'),
				act.says.map(s => el('p', {}, values.prose(s)))) : null,
			act.expect.length ? el('h3', {}, 'Expectations') : null, expectTable(act, of),
			made.map(m => m.section), closesSection(act, of));
		return { section, draw: () => made.forEach(m => m.draw()) };
	}

	/* ---- scenario and machine ---- */

	const shellWord = word => /^[A-Za-z0-9_\/:.,=@%+-]+$/.test(word) ? word
		: `'${word.replace(/'/g, '\'\\\'\'')}'`;
	const typed = argv => values.visible(argv.map(shellWord).join(' '));

	function commandsOf(act) {
		return act.variants.filter(v => v.runs.length).map(v => el('details', {},
			el('summary', {}, el('b', {}, values.visible(v.label)),
				v.what ? `: ${values.visible(v.what)}` : ''),
			Object.entries(v.runs[0].commands).map(([who, argv]) => [
				el('p', { class: 'quiet' }, `on the ${who}’s host`),
				el('pre', { class: 'command' }, typed(argv))]),
			Object.entries(v.runs[0].files).map(([name, text]) => [
				el('p', { class: 'quiet' }, values.visible(name)),
				el('pre', { class: 'command' }, values.visible(text))])));
	}

	function machineFacts() {
		const m = result.machine;
		const list = of => el('ul', { class: 'plain' }, Object.entries(of).map(([name, value]) =>
			el('li', {}, el('code', {}, `${values.visible(name)}: ${values.visible(String(value))}`))));
		return facts([['Kernel', m.kernel], ['System', m.system], ['Processor', m.cpu],
			['Processors', m.cpus],
			['Memory', m.memory_bytes && `${(m.memory_bytes / 2 ** 30).toFixed(1)} GiB`],
			['Namespaces as', m.namespaces],
			['Programs', Object.keys(m.programs).length ? list(m.programs) : null],
			['Kernel settings', Object.keys(m.sysctls).length ? list(m.sysctls) : null],
			['Not to be had here', m.notes.length ? m.notes.join('; ') : null]]);
	}

	function scenarioSection(acts) {
		return el('section', { 'aria-labelledby': 'scenario' },
			el('h2', { id: 'scenario' }, 'Scenario and machine'),
			facts([['Scenario', scenario.name], ['File', scenario.file || 'weir’s own'],
				['Begun by', el('code', {}, typed(['weir', 'lab', ...result.command]))],
				['Begun at', begun()], ['Took', values.duration(result.took_ms)],
				['Scale', values.share(result.scale)], ['Seed', result.seed],
				['Form', result.full ? 'long (--full)' : 'as shipped'], ['weir', result.weir]]),
			el('h3', {}, 'The machine'), machineFacts(),
			el('h3', {}, 'What ran'), acts.flatMap(act => [acts.length > 1
				? el('h4', {}, titleOf(act)) : null, ...commandsOf(act)]),
			el('h3', {}, 'The scenario’s file'),
			el('pre', { class: 'command', tabindex: 0, 'aria-label': 'Text of the scenario' },
				values.visible(scenario.text)));
	}

	/* ---- the whole ---- */

	function passedText() {
		if (!result.valid)
			return 'Some runs are not valid.';
		return result.passed === null ? null : result.passed ? '✓ All expectations held.'
			: '✗ Not all expectations held.';
	}

	function head(acts) {
		const links = [['#verdict', 'Verdict'], ['#words', 'The server’s own words'],
			...acts.map(act => [`#${placeOf(act).id}`, acts.length > 1 ? titleOf(act) : 'Figures']),
			['#scenario', 'Scenario and machine']];
		document.title = `${values.visible(scenario.name)} – weir lab`;
		document.getElementById('top').append(
			el('h1', {}, values.visible(scenario.name)),
			el('p', { class: 'summary' }, values.capital(values.visible(scenario.title))),
			el('p', { class: 'quiet' }, `weir lab, ${begun()}${result.scale === 1 ? ''
				: `, at ${values.share(result.scale)} of its size`}`),
			el('nav', { 'aria-label': 'Parts of this page' }, el('ul', {}, links.map(
				([href, text]) => el('li', {}, el('a', { href }, values.visible(text)))))));
	}

	function foot() {
		document.getElementById('foot').append(el('p', { class: 'take' },
			button('The whole result as JSON', 'Save the whole result as JSON', () =>
				save('samples.json', 'application/json', JSON.stringify(result, null, 1) + '\n'))),
			el('p', { class: 'quiet' }, `Made by weir ${values.visible(result.weir)}. Plots by ` +
				'dygraphs, under the MIT licence; its text is in this page’s source.'));
	}

	/* On paper: light, and as wide as a sheet. What is folded stays so. */
	function listenForPaper() {
		const turn = on => {
			document.documentElement.classList.toggle('print', on);
			charts.groups.forEach(group => group.paper(on));
		};
		addEventListener('beforeprint', () => turn(true));
		addEventListener('afterprint', () => turn(false));
		matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () =>
			charts.groups.forEach(group => group.repaint()));
	}

	const acts = model.acts(result);
	const passed = passedText();
	head(acts);
	document.getElementById('main').append(patterns(), el('section', { 'aria-labelledby': 'verdict' },
		el('h2', { id: 'verdict' }, 'Verdict'),
		passed ? el('p', { class: result.passed ? null : 'mark' }, passed) : null,
		verdicts.map((v, i) => verdictOf(v, acts[i], acts.length === 1))), wordsSection(acts));
	const made = acts.map(act => actSection(act, acts));
	document.getElementById('main').append(...made.map(m => m.section), scenarioSection(acts));
	foot();
	made.forEach(m => m.draw());
	listenForPaper();
	document.documentElement.dataset.ready = 'yes';
})();
