/*
 * page.js - the page of `bailey view --web`: a screen, keys, mouse and text.
 *
 * It talks to bailey-display-web inside the sandbox; the messages are in
 * display/web.h.  Invariants: what comes from there is pictures and text,
 * never anything that is run, and is checked as a stranger's; what was copied
 * crosses in the directions only that the command has named, by the protocol
 * that it chose for the connection.
 */
'use strict';

const KEY = 1, TEXT = 2, POINTER = 3, WHEEL = 4, SHOWN = 5, VISIBLE = 6,
	RELEASE = 7, COPIED_HERE = 8, ROOM = 9,
	PICTURE_HERE = 10;                /* to the sandbox */
const SIZE = 1, TILES = 2, JPEG = 3, FRAME = 4, CURSOR = 5, COPIED = 6,
	PICTURE = 7;
const CAPS = 1, NUM = 2, SHORTCUT = 4;                /* flags of KEY */
const TURN_IS_OVER = 4001;
const TILE = 64, SIDE_MAX = 32767, CURSOR_MAX = 128, COPIED_MAX = 8 << 20,
	RAW_MAX = 1 << 28, RETRY_MS = 700, NOTCH = 120, REST_MS = 250;
const IS_MAC = /Mac|iPhone|iPad/.test(navigator.platform);

const $ = id => document.getElementById(id);
const canvas = $('screen'), input = $('keys'), notice = $('notice');
const picture = canvas.getContext('2d', { alpha: false });
const tile = new ImageData(TILE, TILE);
const tilePixels = new Uint32Array(tile.data.buffer);
const name = decodeURIComponent(location.hash.slice(1)) || 'screen';

let socket = null;      /* while it is open, or being opened */
let work = Promise.resolve(); /* messages, one after the other */
let policy = 'none';    /* which way text may go */
let isFitting = true;   /* the screen has the window's size, not its own */
let waitingCopy = null; /* what a program has copied, until the user's next touch */
let waitingPaste = null; /* the key that is sent after the text */

function fail(why) {
	throw new Error(why);
}

/* ---- what is shown besides the screen -------------------------------------- */
function say(words, offersAgain) {
	$('words').textContent = words;
	$('again').hidden = !offersAgain;
	notice.hidden = !words;
	canvas.classList.toggle('is-stale', !!words);
	$('light').className = words ? 'is-off' : 'is-on';
}

/* As it is, or smaller if the window is; larger only to fill the monitor. */
function arrange() {
	const room = $('stage').getBoundingClientRect();
	const most = Math.min(room.width / canvas.width,
		room.height / canvas.height);
	const scale = document.fullscreenElement ? most : Math.min(1, most);

	canvas.style.width = `${canvas.width * scale}px`;
	canvas.style.height = `${canvas.height * scale}px`;
	canvas.classList.toggle('is-whole', Number.isInteger(scale));
	$('fit').setAttribute('aria-pressed', isFitting);
}

/* The program's screen becomes as large as this window. */
function askForRoom() {
	const room = $('stage').getBoundingClientRect();

	if (isFitting)
		send(ROOM, 6, view => {
			view.setUint16(2, room.width, true);
			view.setUint16(4, room.height, true);
		});
}

let restTimer = 0;
function onResize() {
	arrange();
	clearTimeout(restTimer);
	restTimer = setTimeout(askForRoom, REST_MS);
}

/* ---- from the sandbox: the picture ------------------------------------------ */
async function inflate(packed, size) {
	const stream = new DecompressionStream('deflate-raw');
	const writer = stream.writable.getWriter();
	const reader = stream.readable.getReader();
	const out = new Uint8Array(size);
	let have = 0;

	writer.write(packed).catch(() => {});
	writer.close().catch(() => {});
	for (;;) {
		const { done, value } = await reader.read();

		if (done)
			break;
		if (have + value.length > size)
			fail('too much');
		out.set(value, have);
		have += value.length;
	}
	return have === size ? out : fail('too little');
}

const opaque = (red, green, blue) =>
	(0xff000000 | blue << 16 | green << 8 | red) >>> 0;

/* One rectangle of TILES at `at`; returns where the next one is. */
function drawTile(bytes, view, at) {
	const x = view.getUint16(at, true), y = view.getUint16(at + 2, true);
	const w = bytes[at + 4], h = bytes[at + 5];
	const colours = view.getUint16(at + 6, true);
	const step = colours ? 1 : 3;
	const palette = new Uint32Array(256);

	at += 8;
	if (w > TILE || h > TILE || x + w > canvas.width ||
	    y + h > canvas.height || colours > 256)
		fail('no such tile');
	for (let i = 0; i < colours; i++, at += 3)
		palette[i] = opaque(bytes[at], bytes[at + 1], bytes[at + 2]);
	for (let row = 0; row < h; row++)
		for (let i = row * TILE, end = i + w; i < end; i++) {
			tilePixels[i] = colours === 1 ? palette[0] :
				colours ? palette[bytes[at]] :
				opaque(bytes[at], bytes[at + 1], bytes[at + 2]);
			if (colours !== 1)
				at += step;
		}
	picture.putImageData(tile, x, y, 0, 0, w, h);
	return at;
}

async function onTiles(data, view) {
	const size = view.getUint32(4, true);
	let bytes = new Uint8Array(data, 8);

	if (size > RAW_MAX)
		fail('too large');
	if (view.getUint8(1))
		bytes = await inflate(bytes, size);
	view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
	for (let at = 0; at < bytes.length;)
		at = drawTile(bytes, view, at);
}

async function onJpeg(data, view) {
	const file = new Blob([new Uint8Array(data, 6)], { type: 'image/jpeg' });
	const image = await createImageBitmap(file);

	picture.drawImage(image, view.getUint16(2, true),
		view.getUint16(4, true));
	image.close();
}

function onSize(data, view) {
	const w = view.getUint16(2, true), h = view.getUint16(4, true);

	if (!w || !h || w > SIDE_MAX || h > SIDE_MAX)
		fail('no such size');
	canvas.width = w;
	canvas.height = h;
	arrange();
}

function onFrame(data, view) {
	say('');
	send(SHOWN, 8, v => v.setUint32(4, view.getUint32(4, true), true));
}

function onCursor(data, view) {
	const [hotX, hotY, w, h] = [2, 4, 6, 8].map(at =>
		view.getUint16(at, true));
	const shape = document.createElement('canvas');
	const pixels = new Uint8ClampedArray(data, 10);

	if (!w || !h || w > CURSOR_MAX || h > CURSOR_MAX ||
	    pixels.length !== w * h * 4)
		fail('no such pointer');
	shape.width = w;
	shape.height = h;
	shape.getContext('2d').putImageData(new ImageData(pixels, w, h), 0, 0);
	canvas.style.cursor = pixels.every(v => !v) ? 'none' :
		`url(${shape.toDataURL()}) ${Math.min(hotX, w - 1)} ` +
		`${Math.min(hotY, h - 1)}, default`;
}

/* ---- the two clipboards ---------------------------------------------------------- */
function copyOut() {
	const item = waitingCopy;

	if (item === null || !navigator.clipboard)
		return;
	waitingCopy = null;
	navigator.clipboard.write([item]).catch(() => {
		waitingCopy = waitingCopy === null ? item : waitingCopy;
	});
}

function onCopied(data, view) {
	const isPicture = view.getUint8(0) === PICTURE;
	const type = isPicture ? 'image/png' : 'text/plain';

	if (policy !== 'out' && policy !== 'both')
		return;
	waitingCopy = new ClipboardItem({
		[type]: new Blob([new Uint8Array(data, 1)], { type }) });
	copyOut();
}

function canPaste() {
	return policy === 'in' || policy === 'both';
}

function copyIn(kind, bytes) {
	if (canPaste() && bytes.length && bytes.length <= COPIED_MAX)
		send(kind, 1 + bytes.length, (view, all) => all.set(bytes, 1));
}

function copyTextIn(text) {
	copyIn(COPIED_HERE, new TextEncoder().encode(
		text.replace(/\r\n/g, '\n')));
}

async function copyPictureIn(blob) {
	copyIn(PICTURE_HERE, new Uint8Array(await blob.arrayBuffer()));
}

/* For the button: text, if there is both. */
async function copyAllIn() {
	const type = 'image/png';

	for (const item of await navigator.clipboard.read())
		if (item.types.includes('text/plain'))
			copyTextIn(await (await item.getType('text/plain')).text());
		else if (item.types.includes(type))
			await copyPictureIn(await item.getType(type));
}

/* The browser tells what is on its clipboard in the event that follows. */
function isPaste(e) {
	if (!canPaste())
		return false;
	return e.shiftKey && e.key === 'Insert' ||
		(e.ctrlKey || e.metaKey) && !e.altKey &&
		e.key.toLowerCase() === 'v';
}

function finishPaste() {
	const e = waitingPaste;

	waitingPaste = null;
	if (e)
		sendKey(true, e);
}

async function onPaste(e) {
	const text = e.clipboardData.getData('text/plain');
	const picture = [...e.clipboardData.files].find(f =>
		f.type === 'image/png');

	e.preventDefault();
	if (text || !picture)
		copyTextIn(text);
	else
		await copyPictureIn(picture);
	finishPaste();
}

/* ---- the connection ----------------------------------------------------------------- */
const handlers = { [SIZE]: onSize, [TILES]: onTiles, [JPEG]: onJpeg,
	[FRAME]: onFrame, [CURSOR]: onCursor, [COPIED]: onCopied,
	[PICTURE]: onCopied };

function send(kind, size, fill) {
	const bytes = new Uint8Array(size);

	if (!socket || socket.readyState !== WebSocket.OPEN)
		return;
	bytes[0] = kind;
	if (fill)
		fill(new DataView(bytes.buffer), bytes);
	socket.send(bytes);
}

function onMessage(mine, data) {
	work = work.then(async () => {
		const view = new DataView(data);
		const handler = handlers[view.getUint8(0)];

		if (mine === socket && handler)
			await handler(data, view);
	}).catch(e => {
		mine.close();
		console.error('from the sandbox:', e);
	});
}

function onClose(mine, e) {
	if (mine !== socket)
		return;
	socket = null;
	if (e.code === TURN_IS_OVER) {
		say('Another viewer has taken over', true);
		return;
	}
	say(e.reason ? `${e.reason}; trying again` :
		'No connection; trying again');
	setTimeout(connect, RETRY_MS);
}

function connect() {
	const address = new URL('screen', location.href);
	const ways = ['in', 'out', 'both', 'none'].map(w => `bailey.${w}`);

	if (socket)
		return;
	address.protocol = 'ws:';
	address.hash = '';
	const mine = socket = new WebSocket(address, ways);

	mine.binaryType = 'arraybuffer';
	mine.onmessage = e => onMessage(mine, e.data);
	mine.onclose = e => onClose(mine, e);
	mine.onopen = () => {
		policy = mine.protocol.slice('bailey.'.length);
		$('paste').hidden = !canPaste();
		tellVisible();
		askForRoom();
	};
}

function tellVisible() {
	send(VISIBLE, 2, v => v.setUint8(1, document.hidden ? 0 : 1));
}

/* ---- keys ---------------------------------------------------------------------------- */
/* KeyboardEvent.code in the order of X's key codes, from each number on. */
const KEYS = {};
for (const [first, names] of [
	[9, 'Escape Digit1 Digit2 Digit3 Digit4 Digit5 Digit6 Digit7 Digit8 ' +
	'Digit9 Digit0 Minus Equal Backspace Tab KeyQ KeyW KeyE KeyR KeyT KeyY ' +
	'KeyU KeyI KeyO KeyP BracketLeft BracketRight Enter ControlLeft KeyA ' +
	'KeyS KeyD KeyF KeyG KeyH KeyJ KeyK KeyL Semicolon Quote Backquote ' +
	'ShiftLeft Backslash KeyZ KeyX KeyC KeyV KeyB KeyN KeyM Comma Period ' +
	'Slash ShiftRight NumpadMultiply AltLeft Space'],
	[67, 'F1 F2 F3 F4 F5 F6 F7 F8 F9 F10'],
	[78, 'ScrollLock Numpad7 Numpad8 Numpad9 NumpadSubtract Numpad4 Numpad5 ' +
	'Numpad6 NumpadAdd Numpad1 Numpad2 Numpad3 Numpad0 NumpadDecimal'],
	[94, 'IntlBackslash F11 F12 IntlRo'], [100, 'Convert KanaMode NonConvert'],
	[104, 'NumpadEnter ControlRight NumpadDivide PrintScreen AltRight'],
	[110, 'Home ArrowUp PageUp ArrowLeft ArrowRight End ArrowDown PageDown ' +
	'Insert Delete'], [125, 'NumpadEqual'], [127, 'Pause'],
	[129, 'NumpadComma Lang1 Lang2 IntlYen MetaLeft MetaRight ContextMenu'],
	[191, 'F13 F14 F15 F16 F17 F18 F19 F20 F21 F22 F23 F24'],
])
	names.split(' ').forEach((n, i) => { KEYS[n] = first + i; });

function keyFlags(e) {
	const isShortcut = (e.ctrlKey || e.altKey || e.metaKey) &&
		!e.getModifierState('AltGraph');

	return (e.getModifierState('CapsLock') ? CAPS : 0) |
		(IS_MAC || e.getModifierState('NumLock') ? NUM : 0) |
		(isShortcut ? SHORTCUT : 0);
}

function sendRawKey(isPress, code, flags, character) {
	send(KEY, 8, view => {
		view.setUint8(1, isPress ? 1 : 0);
		view.setUint8(2, code);
		view.setUint8(3, flags);
		view.setUint32(4, character, true);
	});
}

function sendKey(isPress, e) {
	const isCharacter = [...e.key].length === 1 &&
		!e.code.startsWith('Numpad');
	const character = isCharacter ? e.key.codePointAt(0) : 0;
	let code = KEYS[e.code] || KEYS[e.key] || 0;

	if (IS_MAC && e.key === 'Meta')
		code = KEYS.ControlLeft;
	if (!code && !(isPress && character))
		return;
	sendRawKey(isPress, code, keyFlags(e), character);
	/* a Mac does not tell when a key is let go while Command is held */
	if (IS_MAC && isPress && e.metaKey && e.key !== 'Meta')
		sendRawKey(false, code, 0, 0);
}

/* The other layout's characters come as characters, so its modifier must not
 * come as a key; some systems tell Ctrl along with it. */
function isLayoutKey(isPress, e) {
	if (e.key === 'AltGraph' && isPress)
		sendRawKey(false, KEYS.ControlLeft, 0, 0);
	return e.key === 'AltGraph' || e.key === 'CapsLock' ||
		e.key === 'NumLock' || (IS_MAC && e.key === 'Alt');
}

function onKey(e) {
	const isPress = e.type === 'keydown';

	copyOut();
	if (!isPress && waitingPaste && waitingPaste.code === e.code)
		finishPaste();
	/* what an input method makes of it comes as text */
	if (e.isComposing || e.key === 'Dead' || e.key === 'Process' ||
	    e.key === 'Unidentified')
		return;
	if (isPress && isPaste(e)) {
		waitingPaste = e;
		setTimeout(finishPaste, 200);
		return;
	}
	e.preventDefault();
	if (!isLayoutKey(isPress, e))
		sendKey(isPress, e);
}

function onInput(e) {
	const text = [...input.value];

	if (e.isComposing)
		return;
	input.value = '';
	send(TEXT, 4 + 4 * text.length, view => text.forEach((c, i) =>
		view.setUint32(4 + 4 * i, c.codePointAt(0), true)));
}

/* ---- the mouse ------------------------------------------------------------------------- */
function place(e) {
	const r = canvas.getBoundingClientRect();
	const at = (v, size, count) => Math.max(0, Math.min(count - 1,
		Math.floor(v * count / size)));

	return [at(e.clientX - r.left, r.width, canvas.width),
		at(e.clientY - r.top, r.height, canvas.height)];
}

function onPointer(e) {
	const [x, y] = place(e);

	if (e.type === 'pointerdown') {
		input.focus({ preventScroll: true });
		canvas.setPointerCapture(e.pointerId);
		copyOut();
	}
	e.preventDefault();
	send(POINTER, 6, view => {
		view.setUint8(1, e.buttons & 31);
		view.setUint16(2, x, true);
		view.setUint16(4, y, true);
	});
}

function onWheel(e) {
	const unit = e.deltaMode === 0 ? 1 : e.deltaMode === 1 ? NOTCH / 3 :
		NOTCH * 5;
	const clamp = v => Math.max(-32767, Math.min(32767, Math.round(v)));

	e.preventDefault();
	send(WHEEL, 6, view => {
		view.setInt16(2, clamp(-e.deltaY * unit), true);
		view.setInt16(4, clamp(e.deltaX * unit), true);
	});
}

/* ---- the whole ---------------------------------------------------------------------------- */
async function toggleFull() {
	if (document.fullscreenElement) {
		await document.exitFullscreen();
		return;
	}
	await document.documentElement.requestFullscreen();
	if (navigator.keyboard && navigator.keyboard.lock)
		navigator.keyboard.lock().catch(() => {});
}

function start() {
	document.title = `${name} – bailey`;
	$('name').textContent = name;
	for (const type of ['keydown', 'keyup'])
		input.addEventListener(type, onKey);
	input.addEventListener('input', onInput);
	input.addEventListener('compositionend', onInput);
	input.addEventListener('paste', onPaste);
	input.addEventListener('blur', () => send(RELEASE, 1));
	for (const type of ['pointermove', 'pointerdown', 'pointerup',
		'pointercancel'])
		canvas.addEventListener(type, onPointer);
	canvas.addEventListener('wheel', onWheel, { passive: false });
	canvas.addEventListener('contextmenu', e => e.preventDefault());
	document.addEventListener('visibilitychange', tellVisible);
	window.addEventListener('resize', onResize);
	window.addEventListener('focus', () => input.focus());
	$('paste').onclick = () => copyAllIn().catch(() => {})
		.finally(() => input.focus());
	$('fit').onclick = () => {
		isFitting = !isFitting;
		onResize();
		input.focus();
	};
	$('full').onclick = () => toggleFull().finally(() => input.focus());
	$('again').onclick = () => {
		say('Connecting');
		connect();
		input.focus();
	};
	input.focus();
	connect();
}
start();
