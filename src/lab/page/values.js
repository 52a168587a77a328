/*
 * values: numbers as people read them, percentiles out of histograms, lines put on one
 * grid, and quoting. Nothing here knows a page.
 */
const values = (() => {
	const count = n => Math.round(n).toLocaleString('en-US');

	/* Three significant digits, as weir's text reports have them. */
	function significant(n) {
		if (n === 0)
			return '0';
		const size = Math.floor(Math.log10(Math.abs(Number(n.toPrecision(3)))));
		return size >= 3 ? count(n) : n.toFixed(Math.max(0, 2 - size));
	}

	/* 812 µs, 52.1 ms, 4.03 s, 12m 5s */
	function duration(ms) {
		if (ms === 0)
			return '0 ms';
		if (ms < 0.9995)
			return significant(ms * 1000) + ' µs';
		if (ms < 999.5)
			return significant(ms) + ' ms';
		if (ms < 119500)
			return significant(ms / 1000) + ' s';
		const s = Math.round(ms / 1000);
		return `${Math.floor(s / 60)}m ${s % 60}s`;
	}

	/* As it was set: 3 s, not 3.00 s. */
	function setting(ms) {
		return ms >= 1000 ? `${+(ms / 1000).toFixed(3)} s` : `${+ms.toFixed(3)} ms`;
	}

	const rate = n => `${Math.abs(n) < 9.95 ? +n.toFixed(1) : count(n)}/s`;

	function share(of) {
		const percent = of * 100;
		if (percent > 0 && percent < 0.95)
			return `${Number(percent.toPrecision(1))}%`;
		return `${percent.toFixed(percent > 99.05 && percent < 100 ? 1 : 0)}%`;
	}

	/* 122–125; 4.14–4.16 s: a unit that both have is said once. */
	function range(format, low, high) {
		const a = format(low), b = format(high);
		const unit = text => (text.match(/[^\d]+$/) || [''])[0];
		return `${unit(a) && unit(a) === unit(b) ? a.slice(0, -unit(a).length) : a}–${b}`;
	}

	const capital = text => text.charAt(0).toUpperCase() + text.slice(1);

	/* Short, for an axis: 900, 12k, 1.5M */
	function short(n) {
		const size = Math.abs(n);
		if (size >= 1e6)
			return `${+(n / 1e6).toFixed(2)}M`;
		if (size >= 1e4)
			return `${+(n / 1e3).toFixed(1)}k`;
		return `${+n.toFixed(size < 10 ? 2 : 0)}`;
	}

	const total = histogram => histogram.reduce((sum, [, n]) => sum + n, 0);

	/* [[low_us, count], ...] as a staircase: from the share `at` of all answers on, they
	 * took `ms`. */
	function stairs(histogram) {
		const all = total(histogram);
		let before = 0;
		return histogram.filter(([, n]) => n > 0).map(([low, n]) => {
			const step = { at: before / all, ms: low / 1000 };
			before += n;
			return step;
		});
	}

	/* The smallest value that the share q of all does not exceed; null: there is none. */
	function quantile(histogram, q) {
		const all = total(histogram);
		let reached = 0;
		for (const [low, n] of histogram) {
			reached += n;
			if (n > 0 && reached >= q * all)
				return low / 1000;
		}
		return null;
	}

	/* Where a share of all stands on an axis of nines: 0 at 0 %, 1 at 90 %, 2 at 99 %. */
	const nines = q => -Math.log10(1 - q) + 0;

	/* The line of a histogram over the axis of nines; it ends where half an answer would
	 * stand. */
	function curve(histogram) {
		const steps = stairs(histogram);
		if (!steps.length)
			return [];
		const points = steps.map(s => [nines(s.at), s.ms]);
		points.push([Math.log10(2 * total(histogram)), steps[steps.length - 1].ms]);
		return points;
	}

	/* Lines with times of their own as rows [x, y of each, or what stands for nothing]. */
	function grid(lines, nothing = null) {
		const at = new Map();
		lines.forEach((points, i) => {
			for (const [x, y] of points) {
				if (!at.has(x))
					at.set(x, Array(lines.length).fill(nothing));
				at.get(x)[i] = y;
			}
		});
		return [...at.keys()].sort((a, b) => a - b).map(x => [x, ...at.get(x)]);
	}

	/* What a line says at x. One that holds says its last value until the next; another,
	 * the nearest no further away than its points stand apart. null: nothing. */
	function valueAt(points, x, holds) {
		let low = 0, high = points.length;
		while (low < high) {
			const middle = (low + high) >> 1;
			if (points[middle][0] <= x + 1e-9)
				low = middle + 1;
			else
				high = middle;
		}
		const left = points[low - 1], right = points[low];
		const apart = points.length > 1
			? (points[points.length - 1][0] - points[0][0]) / (points.length - 1) : 1;
		if (holds)
			return left && (right || x - left[0] <= apart) ? left[1] : null;
		const near = !right || left && x - left[0] <= right[0] - x ? left : right;
		return near && Math.abs(near[0] - x) <= apart ? near[1] : null;
	}

	/* RFC 4180. A text that a spreadsheet would take for a formula gets an apostrophe. */
	function csvCell(value) {
		if (value === null || value === undefined)
			return '';
		if (typeof value !== 'string')
			return String(value);
		const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
		return /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
	}

	const csv = rows => rows.map(row => row.map(csvCell).join(',') + '\r\n').join('');

	/* Signs that cannot be seen, or that turn a line around, as <U+202E>. */
	function visible(text) {
		const hidden = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;
		return text.replace(hidden, c =>
			`<U+${c.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}>`);
	}

	/* Of weir's own sentences: no line ends between a number and its unit. */
	const prose = text => visible(text).replace(/(\d) (?=(µs|ms|s)\b)/g, '$1\u00a0');

	const fileName = words => words.join('-').toLowerCase()
		.replace(/[^a-z0-9]+/g, '-').replace(/^-|-$/g, '').slice(0, 80);

	return { count, significant, duration, setting, rate, share, short, range, capital, total,
		quantile, nines, curve, grid, valueAt, csv, visible, prose, fileName };
})();
