// Prints a table of the reports in a folder, consilium-N.json and janus-N.json, and the ratio of their medians.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const folder = process.argv[2];

function reportsOf(server) {
  const names = readdirSync(folder).filter((name) => name.startsWith(`${server}-`) && name.endsWith('.json'));
  return names.sort().map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')));
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function row(server, report) {
  const cells = [
    server.padEnd(10),
    String(report.consults).padStart(8),
    report.received_per_second.toFixed(0).padStart(10),
    report.server.us_per_packet.toFixed(2).padStart(10),
    report.server.cpu_percent.toFixed(1).padStart(7),
    report.delay.p50_ms.toFixed(2).padStart(8),
    report.delay.p99_ms.toFixed(2).padStart(8),
    report.loss_percent.toFixed(4).padStart(8),
    (report.server.resident_bytes / report.participants / 1024).toFixed(0).padStart(8),
    report.harness_percent.toFixed(1).padStart(9),
  ];
  console.log(cells.join(' '), report.failures.length > 0 ? ` NOT GOOD ENOUGH: ${report.failures.join(', ')}` : '');
}

const servers = { Consilium: reportsOf('consilium'), Janus: reportsOf('janus') };
console.log('             consults  forwarded  us/packet   core %   p50 ms   p99 ms   loss %  KiB each  harness %'.slice(2));
for (const [server, reports] of Object.entries(servers)) reports.forEach((report) => row(server, report));

const cost = (reports) => median(reports.map((report) => report.server.us_per_packet));
const [ours, theirs] = [cost(servers.Consilium), cost(servers.Janus)];
console.log(`\nserver CPU for each forwarded packet: Consilium ${ours.toFixed(2)} us, Janus ${theirs.toFixed(2)} us`);
console.log(`Janus costs ${(theirs / ours).toFixed(2)} times as much`);
const all = Object.values(servers).flat();
if (all.some((report) => report.harness_bound)) console.log('HARNESS-BOUND: the clients were busy more than 80 % of their core');
if (new Set(all.map((report) => report.consults)).size > 1) console.log('not the same number of consults came up: compare with care');
