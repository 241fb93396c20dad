// SPDX-License-Identifier: Apache-2.0
// One end of a data channel in a browser; tests/support/chromium.py calls it. Times are seconds of this machine's clock.
"use strict";

const HIGH_WATER = 4 * 1024 * 1024;
const LOW_WATER = 1024 * 1024;

const clock = () => (performance.timeOrigin + performance.now()) / 1e3;
const hex = (buffer) => Array.from(new Uint8Array(buffer), (octet) => octet.toString(16).padStart(2, "0")).join("");
const digest = async (octets) => hex(await crypto.subtle.digest("SHA-256", octets));

class Peer {
  constructor() {
    this.connection = new RTCPeerConnection();
    this.candidates = [];
    this.texts = [];
    this.waiting = [];
    this.echoes = false;
    this.connection.onicecandidate = (event) => this.candidates.push(event.candidate ? event.candidate.candidate : "");
    this.opening = new Promise((resolve) => { this.hasOpened = resolve; });
    this.connection.ondatachannel = (event) => this.use(event.channel);
  }

  create(label, options) {
    this.use(this.connection.createDataChannel(label, options));
  }

  use(channel) {
    this.channel = channel;
    channel.binaryType = "arraybuffer";
    channel.bufferedAmountLowThreshold = LOW_WATER;
    channel.onmessage = (event) => this.message(event.data);
    if (channel.readyState === "open") this.hasOpened();
    channel.onopen = () => this.hasOpened();
  }

  // Descriptions; with all candidates in them unless asked otherwise.

  async offer(trickle) {
    await this.connection.setLocalDescription(await this.connection.createOffer());
    return this.describe(trickle);
  }

  async answer(sdp, trickle) {
    await this.connection.setRemoteDescription({ type: "offer", sdp });
    await this.connection.setLocalDescription(await this.connection.createAnswer());
    return this.describe(trickle);
  }

  async accept(sdp) {
    await this.connection.setRemoteDescription({ type: "answer", sdp });
  }

  async describe(trickle) {
    if (!trickle) await this.gathered();
    return this.connection.localDescription.sdp;
  }

  // What came late, and the empty one behind the last.
  async late() {
    await this.gathered();
    return this.candidates;
  }

  async gathered() {
    while (this.connection.iceGatheringState !== "complete" || this.candidates.at(-1) !== "") {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  state() {
    return this.connection.connectionState;
  }

  async opened() {
    await this.opening;
    return { label: this.channel.label, id: this.channel.id, most: this.connection.sctp.maxMessageSize };
  }

  // Messages.

  message(data) {
    if (this.echoes) {
      this.channel.send(data);
    } else if (typeof data === "string") {
      this.texts.push(data);
      this.wake();
    } else if (this.buffer) {
      this.buffer.set(new Uint8Array(data), this.filled);
      this.filled += data.byteLength;
      this.ended = clock();
      if (this.filled === this.buffer.length) this.wake();
    } else {
      this.texts.push(`${data.byteLength} octets`);
      this.wake();
    }
  }

  wake() {
    this.waiting.splice(0).forEach((resolve) => resolve());
  }

  async until(condition) {
    while (!condition()) await new Promise((resolve) => this.waiting.push(resolve));
  }

  say(text) {
    this.channel.send(text);
  }

  async heard(count) {
    await this.until(() => this.texts.length >= count);
    return this.texts;
  }

  expect(size) {
    this.buffer = new Uint8Array(size);
    this.filled = 0;
  }

  async received() {
    await this.until(() => this.filled === this.buffer.length);
    const sha256 = await digest(this.buffer);
    this.buffer = null;
    return { sha256, ended: this.ended };
  }

  // Random octets are made before the clock starts.
  async send(size, message) {
    const octets = new Uint8Array(size);
    for (let at = 0; at < size; at += 65536) crypto.getRandomValues(octets.subarray(at, Math.min(size, at + 65536)));
    const began = clock();
    for (let at = 0; at < size; at += message) {
      if (this.channel.bufferedAmount > HIGH_WATER) {
        await new Promise((resolve) => { this.channel.onbufferedamountlow = resolve; });
      }
      this.channel.send(octets.subarray(at, Math.min(size, at + message)));
    }
    return { sha256: await digest(octets), began };
  }

  echo(on) {
    this.echoes = on;
  }

  close() {
    this.connection.close();
  }
}

globalThis.Peer = Peer;
