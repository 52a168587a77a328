/*
 * parts: elements, tables, and files made on demand. All texts of a run go in as text nodes
 * or attribute values, never as HTML.
 */
const parts = (() => {
	const SVG = 'http://www.w3.org/2000/svg';

	/* Attributes that are null, undefined or false are left out; so are such children. */
	function el(name, attributes, ...children) {
		const made = document.createElement(name);
		for (const [key, value] of Object.entries(attributes || {})) {
			if (value !== undefined && value !== null && value !== false)
				made.setAttribute(key, value === true ? '' : value);
		}
		made.append(...children.flat(Infinity).filter(c => c !== null && c !== undefined));
		return made;
	}

	function svg(name, attributes, ...children) {
		const made = document.createElementNS(SVG, name);
		for (const [key, value] of Object.entries(attributes || {}))
			made.setAttribute(key, value);
		made.append(...children);
		return made;
	}

	function button(label, about, action) {
		const made = el('button', { type: 'button', 'aria-label': about }, label);
		made.addEventListener('click', action);
		return made;
	}

	function save(name, type, text) {
		const url = URL.createObjectURL(new Blob([text], { type }));
		const link = el('a', { href: url, download: name });
		document.body.append(link);
		link.click();
		link.remove();
		setTimeout(() => URL.revokeObjectURL(url), 10000);
	}

	/* Two buttons for one file name; `rows` and `json` are asked when they are pressed. */
	function take(title, words, rows, json) {
		const name = values.fileName(words);
		return el('span', { class: 'take' },
			button('CSV', `${title}: save as CSV`, () =>
				save(`${name}.csv`, 'text/csv;charset=utf-8', values.csv(rows()))),
			button('JSON', `${title}: save as JSON`, () =>
				save(`${name}.json`, 'application/json',
					JSON.stringify(json(), null, 1) + '\n')));
	}

	/* A line's colour and dashes beside its name. */
	function swatch(colour, dash) {
		const line = svg('line', { x1: 0, y1: 5, x2: 30, y2: 5,
			class: `c${colour % plot.COLOURS}` });
		if (plot.dashOf(dash))
			line.setAttribute('stroke-dasharray', plot.dashOf(dash).join(' '));
		return svg('svg', { class: 'swatch', viewBox: '0 0 30 10', 'aria-hidden': 'true' }, line);
	}

	/* ---- tables: a column is { group, title, unit, keys, raw(row), show(row), kind } ----
	 * keys: its names in files, as many as raw gives; none: it is in no file. */

	function headRows(columns) {
		const top = el('tr', {}, el('td', { class: 'corner' }));
		for (let i = 1, n; i < columns.length; i = n) {
			for (n = i + 1; n < columns.length && columns[n].group === columns[i].group;)
				n++;
			top.append(columns[i].group ? el('th', { scope: 'colgroup', colspan: n - i,
				class: 'first' }, columns[i].group) : el('td', { colspan: n - i, class: 'first' }));
		}
		const bottom = el('tr', {}, columns.map((c, i) => el('th', { scope: 'col',
			class: i === 0 ? 'corner' : classOf(columns, i) },
			c.title, c.unit ? el('span', { class: 'unit' }, c.unit) : null)));
		return columns.some(c => c.group) ? [top, bottom] : [bottom];
	}

	function classOf(columns, i) {
		const starts = i > 1 && columns[i].group !== columns[i - 1].group;
		return [columns[i].kind, starts ? 'first' : null].filter(Boolean).join(' ') || null;
	}

	/* With its caption, in a frame that scrolls where it is wider than the page. */
	function table(caption, words, columns, rows) {
		const kept = columns.filter(c => c.keys);
		const body = rows.map(row => el('tr', {}, columns.map((c, i) => i === 0
			? el('th', { scope: 'row' }, c.show(row))
			: el('td', { class: classOf(columns, i) }, c.show(row)))));
		const plain = row => kept.flatMap(c => c.raw(row))
			.map(value => value === undefined ? null : value);
		const keys = kept.flatMap(c => c.keys);
		return el('div', { class: 'tabled' },
			el('div', { class: 'scroll', role: 'group', tabindex: 0, 'aria-label': caption },
				el('table', {}, el('caption', {}, caption),
					el('thead', {}, headRows(columns)), el('tbody', {}, body))),
			take(caption, words, () => [keys, ...rows.map(plain)],
				() => rows.map(row => Object.fromEntries(plain(row)
					.map((value, i) => [keys[i], value])))));
	}

	/* A column of one value a row. */
	function column(title, key, raw, format, more) {
		return { title, keys: [key], raw: row => [raw(row)], show: row => {
			const value = raw(row);
			return value === null || value === undefined ? '–' : format(value);
		}, ...more };
	}

	function facts(pairs) {
		return el('dl', { class: 'facts' }, pairs.filter(([, value]) => value !== null &&
			value !== undefined && value !== '').map(([name, value]) => [el('dt', {}, name),
			el('dd', {}, typeof value === 'object' ? value : values.visible(String(value)))]));
	}

	/* A list of things to choose one of; `choose` gets the number of the one chosen. */
	function choice(title, id, texts, chosen, choose) {
		return el('fieldset', { class: 'choice' }, el('legend', {}, title),
			texts.map((text, i) => {
				const input = el('input', { type: 'radio', name: id, value: i,
					checked: i === chosen });
				input.addEventListener('change', () => choose(i));
				return el('label', {}, input, values.visible(text));
			}));
	}

	return { el, svg, button, save, take, swatch, table, column, facts, choice };
})();
