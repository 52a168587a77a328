/*
 * charts: the figures of an act as elements: time lines on one cursor, latency curves,
 * sweeps. Each returns { section, draw }: it is drawn once it stands in the document.
 */
const charts = (() => {
	const { el, button, take, swatch, table, column, choice } = parts;
	const LONG_NAME = 12; /* two such do not stand beside each other under a plot */
	const groups = [];

	/* ---- one figure ---- */

	const shown = (figure, value) => value === null ? '–'
		: figure.format(Array.isArray(value) ? value[1] : value);

	/* The middle value of each point. */
	const middles = line => line.points.map(([, y]) => Array.isArray(y) ? y[1] : y);

	function legendOf(figure) {
		const outs = [];
		const items = figure.lines.map(line => {
			const value = el('span', { class: 'value' });
			outs.push(value);
			return el('li', {}, swatch(line.colour, line.dash), el('span', { class: 'name',
				title: line.name }, values.visible(line.name)), value);
		});
		const word = figure.least ? 'min' : 'max';
		const far = figure.lines.map(line => Math[word](...middles(line)));
		const tell = (i, value, at) => {
			outs[i].textContent = at === null ? `${word} ${figure.format(far[i])}`
				: shown(figure, value);
		};
		figure.lines.forEach((_, i) => tell(i, null, null));
		const long = figure.lines.some(line => line.name.length > LONG_NAME);
		return { list: el('ul', { class: long ? 'legend long' : 'legend' }, items), tell };
	}

	function describe(figure) {
		const lines = figure.lines.map(line => `${line.name}: from ` +
			`${figure.format(Math.min(...middles(line)))} to ` +
			`${figure.format(Math.max(...middles(line)))}`);
		return `Line chart. ${figure.title}${figure.unit ? `, ${figure.unit}` : ''}. ` +
			`${lines.join('. ')}.`;
	}

	function asRows(figure, x) {
		const unit = figure.time ? '_ms' : '';
		if (!figure.ticks)
			return [[x, ...figure.lines.map(l => l.name + unit)],
				...values.grid(figure.lines.map(l => l.points))];
		const names = figure.lines.flatMap(l =>
			['low', 'median', 'high'].map(which => `${l.name} ${which}${unit}`));
		return [[x, ...names], ...values.grid(figure.lines.map(l => l.points),
			[null, null, null]).map(([at, ...ys]) => [figure.ticks[at], ...ys.flat()])];
	}

	function asJson(figure, x, scenario) {
		return { schema: 'weir.lab.figure/1', scenario, figure: figure.title,
			unit: figure.time ? 'ms' : figure.unit || null, x,
			lines: figure.lines.map(l => ({ name: l.name, points: l.points.map(([at, y]) =>
				[figure.ticks ? figure.ticks[at] : at, y]) })) };
	}

	/* As an element; it is drawn into `group` by the function put into `draws`. */
	function figureOf(figure, of, group, x, draws) {
		const legend = legendOf(figure);
		const box = el('div', { class: 'plot', role: 'img', 'aria-label': describe(figure) });
		draws.push(() => group.add(box, figure, legend.tell));
		return el('figure', { 'data-figure': figure.key },
			el('figcaption', {}, el(figure.heading || 'h5', {}, figure.title,
				figure.unit ? el('span', { class: 'unit' }, `, ${figure.unit}`) : null),
			take(figure.title, [...of.words, figure.key], () => asRows(figure, x),
				() => asJson(figure, x, of.scenario))),
			box, legend.list);
	}

	/* ---- time lines ---- */

	function familyParts(family, of, group, draws) {
		if (!family.shown.length && !family.zero.length)
			return [];
		return [el('h4', {}, family.title),
			family.note ? el('p', { class: 'quiet' }, family.note) : null,
			family.shown.length ? el('div', { class: 'figures' }, family.shown.map(figure =>
				figureOf(figure, of, group, 't_s', draws))) : null,
			family.zero.length ? el('p', { class: 'quiet' },
				`0 throughout, for all: ${family.zero.join('; ')}.`) : null];
	}

	function cursorBar(group, id) {
		const [from, to] = group.whole;
		const slider = el('input', { type: 'range', id: `${id}-cursor`, min: from, max: to,
			step: 0.1, value: from });
		const out = el('output', { for: `${id}-cursor` });
		const say = () => {
			const text = group.at === null ? 'none: extremes' : `${group.at.toFixed(1)} s`;
			out.textContent = text;
			slider.setAttribute('aria-valuetext', text);
			slider.value = group.at === null ? slider.value : group.at;
		};
		slider.addEventListener('input', () => group.move(Number(slider.value)));
		slider.addEventListener('keydown', event => {
			if (event.key === 'Escape')
				group.move(null);
		});
		group.listeners.push(say);
		say();
		const zoomIn = () => {
			const [start, end] = group.window, width = Math.max((end - start) / 2, 1);
			const middle = group.at === null ? (start + end) / 2 : group.at;
			const left = Math.max(from, Math.min(middle - width / 2, to - width));
			group.zoom(left, left + width);
		};
		return el('div', { class: 'cursor' }, el('label', { for: `${id}-cursor` }, 'Cursor'),
			slider, out, button('Zoom in', 'Zoom in around the cursor', zoomIn),
			button('Whole', 'Show the whole time', () => group.zoom(from, to)));
	}

	/* What of an act is looked at; `look` draws it again. */
	function viewChoices(act, id, view, look) {
		const choices = model.points(act);
		const repetitions = Array.from({ length: act.repetitions }, (_, i) => i + 1);
		return [choices.length > 1 ? choice('At', `${id}-point`, choices.map(c => c.text), 0,
			i => { Object.assign(view, choices[i]); look(); }) : null,
		repetitions.length > 1 ? choice('Repetition', `${id}-repetition`,
			repetitions.map(String), 0, i => { view.repetition = i + 1; look(); }) : null,
		choice('Sockets of the host of the', `${id}-host`, model.HOSTS, 1,
			i => { view.host = model.HOSTS[i]; look(); })];
	}

	function timeLines(act, of) {
		const id = `${of.id}-times`, end = model.endOf(act);
		const section = el('section', { 'aria-labelledby': id }, el('h3', { id }, 'Time lines'));
		if (!end) {
			section.append(el('p', {}, 'Nothing was looked at over time.'));
			return { section, draw: () => {} };
		}
		const group = new plot.Group([0, end], { warmUp: (act.warm_up_ms || 0) / 1000 });
		const view = { ...model.points(act)[0], repetition: 1, host: 'middleware' };
		const place = el('div', {});
		const look = () => {
			const lines = model.lines(model.at(act, view.point), view.repetition);
			const all = model.families(lines, view.host), draws = [];
			const where = { ...of, words: [...of.words, view.point ? view.text : '',
				`run ${view.repetition}`] };
			group.forget(place);
			place.replaceChildren(...['calls', 'answers', 'latency', 'sockets', 'closes', 'slots',
				'queues', 'machine'].flatMap(key => familyParts(all[key], where, group, draws))
				.filter(Boolean));
			draws.forEach(draw => draw());
			group.move(group.at);
		};
		groups.push(group);
		section.append(el('p', { class: 'quiet screen' }, 'One cursor for all plots: point at one, or ' +
			'move the slider with the arrow keys (Escape takes it away). Drag over a plot to zoom ' +
			'in, double-click to see all. Seconds since the first request was due' +
			`${act.warm_up_ms ? '; what is shaded is warm-up and in no figure' : ''}.`),
			...viewChoices(act, id, view, look).filter(Boolean), cursorBar(group, id), place);
		return { section, draw: look };
	}

	/* ---- latency curves ---- */

	const SHARES = [0.5, 0.75, 0.9, 0.95, 0.99, 0.999];

	function shareTable(variants, of, nameColumn) {
		return table('Time until the answer, by share of answers', [...of.words, 'percentiles'],
			[nameColumn,
				column('Answers', 'answers', v => values.total(v.histogram), values.count),
				...SHARES.map(q => column(`${+(q * 100).toFixed(1)}%`,
					`p${+(q * 100).toFixed(1)}_ms`, v => values.quantile(v.histogram, q),
					values.duration))], variants);
	}

	function latencyCurves(act, of, nameColumn) {
		const id = `${of.id}-curves`;
		const variants = act.variants.filter(v => v.histogram.length);
		const section = el('section', { 'aria-labelledby': id },
			el('h3', { id }, 'Latency curves'));
		if (!variants.length) {
			section.append(el('p', {}, 'No answer’s time was measured.'));
			return { section, draw: () => {} };
		}
		const ends = model.curves(variants).lines.map(l => l.points[l.points.length - 1][0]);
		const group = new plot.Group([0, Math.max(...ends)], { nines: true });
		const choices = model.points(act), place = el('div', {});
		const log = el('input', { type: 'checkbox', id: `${id}-log` });
		const look = point => {
			const draws = [];
			const figure = { ...model.curves(model.at({ variants }, point)), heading: 'h4' };
			group.forget(place);
			const made = figureOf(figure, of, group, 'nines', draws);
			made.classList.add('wide');
			place.replaceChildren(made);
			draws.forEach(draw => draw());
			group.logarithmic(log.checked);
		};
		groups.push(group);
		log.addEventListener('change', () => group.logarithmic(log.checked));
		section.append(el('p', { class: 'quiet' }, 'How long a share of the answers took at most, ' +
			'over all repetitions. Errors are answers too: a variant that fails fast looks fast ' +
			'here. Each further nine has as much room as the one before.'),
			...(choices.length > 1 ? [choice('At', `${id}-point`, choices.map(c => c.text), 0,
				i => look(choices[i].point))] : []),
			el('fieldset', { class: 'choice' }, el('label', { for: `${id}-log` }, log,
				'Logarithmic scale of time')), place, shareTable(variants, of, nameColumn));
		return { section, draw: () => look(choices[0].point) };
	}

	/* ---- sweeps ---- */

	function sweepOf(result, act, sweep, of) {
		const draws = [];
		const group = new plot.Group([-0.5, sweep.values.length - 0.5], {});
		const grid = el('div', { class: 'figures' });
		const put = (key, place) => {
			const figure = model.swept(act, sweep, result.figures.find(f => f.key === key));
			const own = [];
			place.append(figureOf(figure, of, group, sweep.name, own));
			return own;
		};
		groups.push(group);
		for (const figure of model.sweptFirst(result, act))
			draws.push(...put(figure.key, grid));
		const place = el('div', { class: 'figures' });
		const pick = el('select', { id: `${of.id}-${sweep.name}-pick` },
			el('option', { value: '' }, 'choose'), result.figures.map(f =>
				el('option', { value: f.key }, `${f.name}: ${f.about}`)));
		pick.addEventListener('change', () => {
			group.forget(place);
			place.replaceChildren();
			if (pick.value)
				put(pick.value, place).forEach(draw => draw());
		});
		return { draws, parts: [el('h4', {}, `By ${values.visible(sweep.name)}`), grid,
			el('p', { class: 'pick' }, el('label', { for: pick.id },
				'Any other figure: '), pick), place] };
	}

	function sweeps(result, act, of) {
		const id = `${of.id}-sweeps`;
		const section = el('section', { 'aria-labelledby': id }, el('h3', { id }, 'Sweeps'));
		const made = model.sweeps(act).map(sweep => sweepOf(result, act, sweep, of));
		section.append(el('p', { class: 'quiet' }, act.repetitions > 1
			? `Medians of ${act.repetitions} repetitions; the band is the spread.`
			: 'One repetition each.'), ...made.flatMap(m => m.parts));
		return { section, draw: () => made.forEach(m => m.draws.forEach(draw => draw())) };
	}

	return { groups, timeLines, latencyCurves, sweeps };
})();
