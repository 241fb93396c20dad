// SPDX-License-Identifier: Apache-2.0
//
// node node.mjs DIRECTORY wrtc|ndc: a native WebRTC peer in a process of its own, with the packages of that directory.
// Commands and answers are lines of JSON, with the verbs of bench/ends.py; points in time are those of the monotonic clock.
//
// What is timed carries zeros, as plain aiortc's does. What is hashed is sent apart from that: random octets, each message
// with its number at the front, kept until all is there and hashed then.

import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const MESSAGE = 64 * 1024;
const ROUND_TRIP_OCTETS = 100;
const MOST_BUFFERED = 1024 * 1024;
const LEAST_BUFFERED = 256 * 1024;

class Signal {
  constructor() {
    this.clear();
  }
  clear() {
    this.wait = new Promise((resolve) => { this.set = resolve; });
  }
}

async function sha256(pieces) {
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.byteLength, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.byteLength;
  }
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", whole));
  return Array.from(digest, (octet) => octet.toString(16).padStart(2, "0")).join("");
}

// An end whose connection offers: offer(), answer(text), accept(text), close(), and a channel with send(octets),
// buffered(), and the attributes message, low and open to be called.
class End {
  constructor(connection, now) {
    this.connection = connection;
    this.now = now;
    this.missing = 0;
    this.hashed = false;
    this.asking = false;
    this.channel = null;
    [this.isOpen, this.low, this.whole, this.pong] = [new Signal(), new Signal(), new Signal(), new Signal()];
    connection.use = (channel) => this.use(channel);
  }

  async offer() {
    return { text: await this.connection.offer(LEAST_BUFFERED) };
  }

  async answer({ text }) {
    return { text: await this.connection.answer(text, LEAST_BUFFERED) };
  }

  async accept({ text }) {
    const began = this.now();
    await this.connection.accept(text);
    await this.isOpen.wait;
    return { open_ms: 1e3 * (this.now() - began) };
  }

  async opened() {
    await this.isOpen.wait;
    return {};
  }

  async ping({ count, seconds }) {
    const times = [];
    const stop = this.now() + seconds;
    for (let done = -5; done < 1 || (done < count && this.now() < stop); done += 1) {
      const began = this.now();
      this.pong.clear();
      this.asking = true;
      this.channel.send(new Uint8Array(ROUND_TRIP_OCTETS));
      await this.pong.wait;
      if (done >= 0) times.push(this.now() - began);
    }
    this.asking = false;
    return { times };
  }

  async expect({ size, hashed = false }) {
    this.missing = size;
    this.hashed = hashed;
    this.kept = [];
    this.whole.clear();
    return {};
  }

  async send({ size, hashed = false }) {
    const zeros = new Uint8Array(MESSAGE);
    const kept = [];
    const began = this.now();
    for (let start = 0; start < size; start += MESSAGE) {
      while (this.channel.buffered() > MOST_BUFFERED) {
        this.low.clear();
        // @roamhq/wrtc never says that its buffer ran low: look again every millisecond, which is 100 KB at most.
        const later = new Promise((resolve) => { setTimeout(resolve, 1); });
        if (this.channel.buffered() > LEAST_BUFFERED) await Promise.race([this.low.wait, later]);
      }
      let message = zeros.subarray(0, Math.min(MESSAGE, size - start));
      if (hashed) {
        message = crypto.getRandomValues(new Uint8Array(message.byteLength));
        new DataView(message.buffer).setUint32(0, start / MESSAGE);
        kept.push(message);
      }
      this.channel.send(message);
    }
    return hashed ? { began, sha256: await sha256(kept) } : { began };
  }

  async received() {
    await this.whole.wait;
    return this.hashed ? { ended: this.ended, sha256: await sha256(this.kept) } : { ended: this.ended };
  }

  async close() {
    this.connection.close();
    return {};
  }

  use(channel) {
    this.channel = channel;
    channel.open = () => this.isOpen.set();
    channel.low = () => this.low.set();
    channel.message = (data) => this.message(data);
  }

  message(data) {
    if (this.missing > 0) {
      if (this.hashed) this.kept.push(new Uint8Array(data).slice());
      this.missing -= data.byteLength;
      if (this.missing <= 0) {
        this.ended = this.now();
        this.whole.set();
      }
    } else if (this.asking) {
      this.pong.set();
    } else {
      this.channel.send(new Uint8Array(data));
    }
  }
}

// libwebrtc, by the interface that browsers have.
class Standard {
  constructor(RTCPeerConnection) {
    this.peer = new RTCPeerConnection({ iceServers: [] });
  }

  async offer(threshold) {
    this.take(this.peer.createDataChannel("bench"), threshold);
    await this.peer.setLocalDescription(await this.peer.createOffer());
    return this.described();
  }

  async answer(text, threshold) {
    this.peer.ondatachannel = ({ channel }) => channel.label === "bench" && this.take(channel, threshold);
    await this.peer.setRemoteDescription(JSON.parse(text));
    await this.peer.setLocalDescription(await this.peer.createAnswer());
    return this.described();
  }

  async accept(text) {
    await this.peer.setRemoteDescription(JSON.parse(text));
  }

  close() {
    this.peer.close();
  }

  async described() {
    while (this.peer.iceGatheringState !== "complete") {
      await new Promise((resolve) => { this.peer.onicegatheringstatechange = resolve; });
    }
    const { type, sdp } = this.peer.localDescription;
    return JSON.stringify({ type, sdp });
  }

  take(inner, threshold) {
    const channel = { send: (octets) => inner.send(octets), buffered: () => inner.bufferedAmount };
    inner.binaryType = "arraybuffer";
    inner.bufferedAmountLowThreshold = threshold;
    this.use(channel);
    inner.onmessage = ({ data }) => channel.message(data);
    inner.onbufferedamountlow = () => channel.low();
    inner.onopen = () => channel.open();
    if (inner.readyState === "open") channel.open();
  }
}

const [directory, stack] = process.argv.slice(2);
const load = createRequire(`${directory}/`);
const now = () => Number(process.hrtime.bigint()) / 1e9;

// libdatachannel by its own interface, which is quicker than its imitation of a browser's. Its packets are made as large
// as aiortc's: 1200 octets of data, 28 of SCTP, 37 of DTLS and 8 of UDP; it counts 40 for IPv6, and 48 for DTLS.
const PACKET = 1200 + 28 + 48 + 8 + 40;

class Libdatachannel {
  constructor() {
    this.peer = new (load("node-datachannel").PeerConnection)("bench", {
      iceServers: [], bindAddress: "127.0.0.1", mtu: PACKET,
    });
    this.gathered = new Promise((resolve) => {
      this.peer.onGatheringStateChange((state) => state === "complete" && resolve());
    });
  }

  async offer(threshold) {
    this.take(this.peer.createDataChannel("bench"), threshold);
    return this.described();
  }

  async answer(text, threshold) {
    const { sdp, type } = JSON.parse(text);
    this.peer.onDataChannel((channel) => channel.getLabel() === "bench" && this.take(channel, threshold));
    // Without candidates it waits to be found. An offerer that is found before it has seen the answer closes, when it is a
    // libdatachannel too: DTLS may begin while it does not know our fingerprint yet.
    this.peer.setRemoteDescription(sdp.replace(/^a=(candidate|end-of-candidates).*\r\n/gm, ""), type);
    return this.described();
  }

  async accept(text) {
    const { sdp, type } = JSON.parse(text);
    this.peer.setRemoteDescription(sdp, type);
  }

  close() {
    this.peer.close();
  }

  async described() {
    await this.gathered;
    const { sdp, type } = this.peer.localDescription();
    return JSON.stringify({ sdp, type });
  }

  take(inner, threshold) {
    const channel = { send: (octets) => inner.sendMessageBinary(octets), buffered: () => inner.bufferedAmount() };
    inner.setBufferedAmountLowThreshold(threshold);
    this.use(channel);
    inner.onMessage((data) => channel.message(data));
    inner.onBufferedAmountLow(() => channel.low());
    inner.onOpen(() => channel.open());
    if (inner.isOpen()) channel.open();
  }
}

const connections = {
  ndc: () => new Libdatachannel(),
  wrtc: () => new Standard(load("@roamhq/wrtc").RTCPeerConnection),
};
const end = new End(connections[stack](), now);
end.cpu = async () => {
  const { user, system } = process.cpuUsage();
  return { seconds: (user + system) / 1e6 };
};

for await (const line of createInterface({ input: process.stdin })) {
  const { do: verb, ...given } = JSON.parse(line);
  let told;
  try {
    told = await end[verb](given);
  } catch (error) {
    told = { error: String(error) };
  }
  process.stdout.write(`${JSON.stringify(told)}\n`);
}
process.exit(0);
