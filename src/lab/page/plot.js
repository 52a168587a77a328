/*
 * plot: a figure drawn by dygraphs, and the group of plots that share a cursor and a
 * window. dygraphs writes some of its texts as HTML: those parts of it are taken out, and
 * the ticks it is given are numbers, or quoted.
 */
const plot = (() => {
	Dygraph.PLUGINS = [Dygraph.Plugins.Axes, Dygraph.Plugins.Grid];
	const COLOURS = 8;
	const PAPER_WIDE = 660, PAPER_THIRD = 215; /* px, between the margins of A4 and Letter */
	const LETTER_WIDTH = 8; /* px, at most, of a tick's text */
	/* One a variant beside its colour, so that nothing is told by colour alone. */
	const DASHES = [null, [9, 4], [3, 3], [12, 3, 3, 3], [6, 2], [16, 5], [2, 5], [9, 3, 2, 3, 2, 3]];

	const colourOf = i => getComputedStyle(document.documentElement)
		.getPropertyValue(`--v${i % COLOURS}`).trim();
	const dashOf = i => DASHES[i % DASHES.length];
	/* dygraphs takes the texts of ticks for HTML. */
	const quoted = text => text.replace(/[&<>"']/g, c => `&#${c.charCodeAt(0)};`);

	function axisTime(ms) {
		return ms >= 1000 || ms === 0 ? `${+(ms / 1000).toFixed(2)} s` : `${+ms.toFixed(3)} ms`;
	}

	function axisValue(figure) {
		if (figure.time)
			return axisTime;
		return figure.format === values.share
			? y => `${+(y * 100).toPrecision(3)}%` : values.short;
	}

	/* 0%, 90%, 99% ... on the axis of nines. */
	function ninesTicks(from, to) {
		const ticks = [0, 0.5, 0.9].map(q => ({ v: values.nines(q), label: `${q * 100}%` }));
		for (let n = 2; n <= to + 0.001; n++)
			ticks.push({ v: n, label: `99${n > 2 ? '.' : ''}${'9'.repeat(n - 2)}%` });
		return ticks.filter(t => t.v >= from - 0.001 && t.v <= to + 0.001);
	}

	function xAxis(figure, group) {
		if (figure.ticks) {
			const texts = figure.ticks.map(values.visible);
			const wide = Math.max(...texts.map(text => text.length)) * LETTER_WIDTH + 6;
			return { axisLabelWidth: Math.min(wide, 90), ticker: (from, to, pixels) => {
				const step = Math.max(1, Math.ceil((wide + 8) * texts.length / pixels));
				return texts.map((text, v) => ({ v, label: v % step ? '' : quoted(text) }));
			} };
		}
		if (group.nines)
			return { ticker: (from, to) => ninesTicks(from, to) };
		return { axisLabelFormatter: t => `${+t.toFixed(2)} s`, pixelsPerLabel: 60 };
	}

	/* What is in no figure, at the beginning. */
	function shade(group) {
		return (canvas, area, graph) => {
			if (!group.warmUp)
				return;
			const from = Math.max(area.x, graph.toDomXCoord(group.whole[0]));
			const to = Math.min(area.x + area.w, graph.toDomXCoord(group.warmUp));
			canvas.fillStyle = getComputedStyle(document.documentElement)
				.getPropertyValue('--panel').trim();
			canvas.fillRect(from, area.y, Math.max(0, to - from), area.h);
		};
	}

	function options(figure, group) {
		const x = xAxis(figure, group);
		const series = {};
		figure.lines.forEach((line, i) => {
			series[`s${i}`] = { strokePattern: dashOf(line.dash) };
		});
		return {
			customBars: Boolean(figure.ticks),
			drawPoints: Boolean(figure.ticks),
			pointSize: 3,
			underlayCallback: shade(group),
			labels: ['x', ...figure.lines.map((_, i) => `s${i}`)],
			series,
			legend: 'never',
			interactionModel: {},
			highlightCircleSize: 0,
			connectSeparatedPoints: true,
			stepPlot: Boolean(figure.holds),
			includeZero: true,
			strokeWidth: 2,
			drawGapEdgePoints: true,
			rightGap: 4,
			dateWindow: group.window,
			axes: { x: { axisLabelFontSize: 12, drawGrid: true, axisLabelWidth: 70, ...x },
				y: { axisLabelFontSize: 12, axisLabelWidth: 52, pixelsPerLabel: 26,
					axisLabelFormatter: axisValue(figure) } },
			drawCallback: () => group.place(),
			...paint(figure),
		};
	}

	function paint(figure) {
		const style = getComputedStyle(document.documentElement);
		const line = style.getPropertyValue('--rule').trim();
		return { colors: figure.lines.map(l => colourOf(l.colour)), gridLineColor: line,
			axisLineColor: style.getPropertyValue('--faint').trim() };
	}

	/* A line's points; what holds for an interval is drawn to its end. */
	function drawn(line, figure) {
		const last = line.points.length - 1;
		if (!figure.holds || figure.closed || last < 1)
			return line.points;
		const [x, y] = line.points[last];
		return [...line.points, [x + (x - line.points[0][0]) / last, y]];
	}

	function pathOf(line, figure, graph) {
		let path = '', before = null;
		for (const [x, value] of drawn(line, figure)) {
			const at = [x, Array.isArray(value) ? value[1] : value];
			const [left, top] = [graph.toDomXCoord(at[0]), graph.toDomYCoord(at[1])]
				.map(n => n.toFixed(1));
			if (!Number.isFinite(Number(top)))
				continue;
			path += before === null ? `M${left} ${top}`
				: figure.holds ? `H${left}V${top}` : `L${left} ${top}`;
			before = at;
		}
		return path;
	}

	/* A plot's lines as SVG, at the place of its canvas. */
	function drawing({ figure, graph, box }) {
		const make = (name, attributes) => {
			const made = document.createElementNS('http://www.w3.org/2000/svg', name);
			for (const [key, value] of Object.entries(attributes))
				made.setAttribute(key, value);
			return made;
		};
		const area = graph.getArea();
		const clip = `clip-${document.querySelectorAll('svg.print').length}`;
		const all = make('svg', { class: 'print', width: box.clientWidth || PAPER_WIDE,
			height: box.clientHeight || 280, 'aria-hidden': 'true' });
		const inside = make('clipPath', { id: clip });
		inside.append(make('rect', { x: area.x, y: area.y - 2, width: area.w, height: area.h + 4 }));
		all.append(inside, make('path', { class: 'frame',
			d: `M${area.x} ${area.y}V${area.y + area.h}H${area.x + area.w}` }));
		for (const line of figure.lines)
			all.append(make('path', { class: `c${line.colour % COLOURS}`,
				d: pathOf(line, figure, graph), 'clip-path': `url(#${clip})`,
				'stroke-dasharray': (dashOf(line.dash) || []).join(' ') }));
		return all;
	}

	/* Plots over one x. `whole` is [from, to]; `nines`: x is an axis of nines; `warmUp`: up
	 * to there x is shaded; `at`: where the cursor is, null: nowhere. */
	class Group {
		constructor(whole, more) {
			Object.assign(this, { nines: false, warmUp: 0 }, more);
			this.whole = whole;
			this.window = [...whole];
			this.at = null;
			this.members = [];
			this.listeners = [];
		}

		/* `told` is called with (index of a line, its value at the cursor or null). */
		add(box, figure, told) {
			const member = { box, figure, told, hair: document.createElement('div') };
			member.hair.className = 'hair';
			member.hair.hidden = true;
			const rows = values.grid(figure.lines.map(line => drawn(line, figure)), figure.ticks
				? [null, null, null] : null);
			member.graph = new Dygraph(box, rows, options(figure, this));
			box.append(member.hair);
			this.members.push(member);
			this.listen(box, member);
		}

		listen(box, member) {
			let from = null;
			const x = event => member.graph.toDataXCoord(
				event.clientX - box.getBoundingClientRect().left);
			box.addEventListener('pointerdown', event => {
				from = event.pointerType === 'mouse' ? event.clientX : null;
				this.move(x(event));
			});
			box.addEventListener('pointermove', event => this.move(x(event)));
			box.addEventListener('pointerup', event => {
				if (from !== null && Math.abs(event.clientX - from) > 12) {
					const start = member.graph.toDataXCoord(
						from - box.getBoundingClientRect().left);
					this.zoom(Math.min(start, x(event)), Math.max(start, x(event)));
				}
				from = null;
			});
			box.addEventListener('dblclick', () => this.zoom(...this.whole));
		}

		move(to) {
			this.at = to === null ? null
				: Math.min(Math.max(to, this.window[0]), this.window[1]);
			this.place();
			for (const member of this.members)
				member.figure.lines.forEach((line, i) => member.told(i, this.at === null
					? null : values.valueAt(line.points, this.at, member.figure.holds),
					this.at));
			for (const listener of this.listeners)
				listener(this);
		}

		zoom(from, to) {
			this.window = [Math.max(from, this.whole[0]), Math.min(to, this.whole[1])];
			for (const member of this.members)
				member.graph.updateOptions({ dateWindow: this.window });
			this.move(this.at);
		}

		place() {
			for (const { graph, hair } of this.members) {
				const area = graph ? graph.getArea() : null;
				hair.hidden = this.at === null || !area;
				if (hair.hidden)
					continue;
				hair.style.left = `${graph.toDomXCoord(this.at)}px`;
				hair.style.top = `${area.y}px`;
				hair.style.height = `${area.h}px`;
			}
		}

		repaint() {
			for (const { graph, figure } of this.members)
				graph.updateOptions(paint(figure));
		}

		/* Plots inside `parent` are gone for good. */
		forget(parent) {
			this.members = this.members.filter(({ box, graph }) => {
				const goes = parent.contains(box);
				if (goes)
					graph.destroy();
				return !goes;
			});
		}

		/* The size on paper is set outright: while a page is printed nothing can be
		 * measured. What is on a canvas then would be lost: the lines are drawn anew. */
		paper(on) {
			for (const member of this.members) {
				const { box, graph } = member;
				if (on) {
					const wide = box.parentNode.classList.contains('wide');
					graph.resize(wide ? PAPER_WIDE : PAPER_THIRD, wide ? 280 : 130);
					member.print = drawing(member);
					box.append(member.print);
				} else if (member.print) {
					member.print.remove();
					box.style.width = box.style.height = '';
					graph.resize();
				}
			}
		}

		logarithmic(on) {
			for (const { graph } of this.members)
				graph.updateOptions({ axes: { y: { logscale: on } } });
		}
	}

	return { Group, dashOf, COLOURS };
})();
