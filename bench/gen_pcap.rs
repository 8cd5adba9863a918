//! Makes captures for measuring: deterministic synthetic Kubernetes pod traffic -> classic pcap (microseconds, little endian).
//!
//! Build:  rustc -C opt-level=3 -o gen_pcap gen_pcap.rs      (std only, no crates)
//! Use:    gen_pcap --out t.pcap [--packets 1000000] [--flows 100000] [--pods 500] [--services 100] [--seed 1]
//!                  [--snaplen 256] [--pps 100000] [--mix tcp,http,dns,udp,refused,dropped] [--v6 0]
//!                  [--link eth|sll2|raw] [--truth flows.csv] [--topo topo.json]
//!
//!   --flows    CONCURRENT flows (slots). A slot whose flow ended starts a new one, so the file's total number of
//!              flows is larger; the count is printed on stderr and, per flow, in --truth.
//!   --mix      weights per NEW flow, default 30,30,30,4,3,3:
//!              tcp     handshake, 1..2000 segments (heavy tail) both ways with ACKs, FIN/FIN/ACK (5%: RST)
//!              http    handshake, 1..8 keep-alive HTTP/1.1 request/response pairs (valid start lines, Host,
//!                      Content-Length; statuses 200/204/304/404/500/503), FINs
//!              dns     A query to a kube-dns pod and its reply (20% NXDOMAIN, as search-domain expansion gives)
//!              udp     1..50 datagrams one way or both
//!              refused SYN, RST+ACK          (closed port, or a policy that REJECTs)
//!              dropped SYN, SYN, SYN, ...    (no answer: a policy that DROPs)
//!   --snaplen  bytes kept per packet (headers keep true lengths, so byte counts are exact)
//!   --pps      timestamp spacing (mean); 70% of the picks go to the hottest 10% of slots, in trains of 1..4 packets
//!   --v6       percent of flows in IPv6 (fd00:244::/64 pods)
//!   --truth    CSV, one line per bidirectional flow: proto,src,sport,dst,dport,kind,pkts_fwd,bytes_fwd,pkts_rev,
//!              bytes_rev,first_us,last_us (bytes = IP total length; src is the initiator)
//!   --topo     JSON: pods (name, namespace, node, ip, mac), services (name, namespace, cluster_ip, port, endpoints)
//!
//! Addresses: node n's pods are 10.244.n.x (254 per node, n grows into 10.245... past 256), ClusterIPs 10.96.x.y.
//! Traffic is what a capture on the pods' veths sees AFTER service DNAT (pod IP -> pod IP), except 20% of the tcp and
//! http flows, which keep the ClusterIP as the destination (what the client side's veth sees before DNAT).
//! IP, TCP and UDP checksums are valid. Same arguments and seed -> same bytes.

use std::fs::File;
use std::io::{BufWriter, Write};

struct Rng([u64; 4]);
impl Rng {
    fn new(mut s: u64) -> Rng {
        let mut n = || { s = s.wrapping_add(0x9E3779B97F4A7C15); let mut z = s;
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58476D1CE4E5B9); z = (z ^ (z >> 27)).wrapping_mul(0x94D049BB133111EB); z ^ (z >> 31) };
        Rng([n(), n(), n(), n()])
    }
    fn next(&mut self) -> u64 { // xoshiro256**
        let s = &mut self.0; let r = s[1].wrapping_mul(5).rotate_left(7).wrapping_mul(9); let t = s[1] << 17;
        s[2] ^= s[0]; s[3] ^= s[1]; s[1] ^= s[2]; s[0] ^= s[3]; s[2] ^= t; s[3] = s[3].rotate_left(45); r
    }
    fn below(&mut self, n: u64) -> u64 { ((self.next() as u128 * n as u128) >> 64) as u64 }
    fn pct(&mut self, p: u64) -> bool { self.below(100) < p }
    /// heavy-tailed count in 1..=max (Pareto, alpha about 1.2)
    fn heavy(&mut self, min: f64, max: u64) -> u64 {
        let u = ((self.next() >> 11) as f64 + 1.0) / (1u64 << 53) as f64;
        ((min * u.powf(-1.0 / 1.2)) as u64).clamp(1, max)
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Kind { Tcp, Http, Dns, Udp, Refused, Dropped }
const KINDS: [(Kind, &str); 6] = [(Kind::Tcp, "tcp"), (Kind::Http, "http"), (Kind::Dns, "dns"), (Kind::Udp, "udp"),
    (Kind::Refused, "refused"), (Kind::Dropped, "dropped")];

struct Flow {
    kind: Kind, v6: bool, src: u32, dst: u32, /* pod index */ dst_ip: u32, svc: u32, sport: u16, dport: u16,
    step: u32, total: u32, seq_c: u32, seq_s: u32, rst: bool, rnd: u32,
    pf: u64, bf: u64, pr: u64, br: u64, first: u64, last: u64,
}

struct Topo { pods: u32, services: u32 }
impl Topo {
    fn pod_ip(&self, p: u32) -> u32 { (10 << 24) + (244 << 16) + ((p / 254) << 8) + p % 254 + 1 }
    fn svc_ip(&self, s: u32) -> u32 { (10 << 24) + (96 << 16) + 10 + s }
    fn svc_of(&self, p: u32) -> u32 { p % self.services }
    fn svc_port(&self, s: u32) -> u16 { [80, 8080, 443, 9090, 5432, 6379, 3306, 50051][(s % 8) as usize] }
    fn v6(&self, p: u32) -> [u8; 16] {
        let mut a = [0u8; 16]; a[0] = 0xfd; a[2] = 0x02; a[3] = 0x44; a[12..16].copy_from_slice(&(p + 1).to_be_bytes()); a
    }
    fn mac(&self, p: u32) -> [u8; 6] { let b = p.to_be_bytes(); [0x02, 0x42, b[0], b[1], b[2], b[3]] }
}

fn sum16(mut acc: u32, b: &[u8]) -> u32 {
    let mut c = b.chunks_exact(2);
    for w in &mut c { acc += u16::from_be_bytes([w[0], w[1]]) as u32; }
    if let [x] = c.remainder() { acc += (*x as u32) << 8; }
    acc
}
fn fold(mut a: u32) -> u16 { while a >> 16 != 0 { a = (a & 0xffff) + (a >> 16); } !(a as u16) }

struct Out { w: BufWriter<File>, snap: usize, link: u8, buf: Vec<u8>, filler: Vec<u8>, ip_id: u16, bytes: u64 }
impl Out {
    /// l4: header and payload without checksum, at offset ck; returns the IP length
    #[allow(clippy::too_many_arguments)]
    fn packet(&mut self, t: &Topo, ts: u64, f: &Flow, fwd: bool, proto: u8, l4: &mut [u8], ck: usize) -> u64 {
        let (sp, dp) = if fwd { (f.src, f.dst) } else { (f.dst, f.src) };
        self.buf.clear();
        match self.link {
            0 => { self.buf.extend_from_slice(&t.mac(dp)); self.buf.extend_from_slice(&t.mac(sp));
                   self.buf.extend_from_slice(if f.v6 { &[0x86, 0xdd] } else { &[8, 0] }); }
            1 => { // LINUX_SLL2: proto, mbz, ifindex, arphrd, type, halen, addr
                   self.buf.extend_from_slice(if f.v6 { &[0x86, 0xdd] } else { &[8, 0] }); self.buf.extend_from_slice(&[0, 0]);
                   self.buf.extend_from_slice(&(sp + 10).to_be_bytes()); self.buf.extend_from_slice(&[0, 1, 0, 6]);
                   self.buf.extend_from_slice(&t.mac(sp)); self.buf.extend_from_slice(&[0, 0]); }
            _ => {}
        }
        let iplen;
        let mut acc = proto as u32 + l4.len() as u32;
        if f.v6 {
            iplen = 40 + l4.len();
            self.buf.extend_from_slice(&[0x60, 0, 0, 0]); self.buf.extend_from_slice(&(l4.len() as u16).to_be_bytes());
            self.buf.extend_from_slice(&[proto, 64]);
            let (s, d) = (t.v6(sp), t.v6(dp)); acc = sum16(sum16(acc, &s), &d);
            self.buf.extend_from_slice(&s); self.buf.extend_from_slice(&d);
        } else {
            iplen = 20 + l4.len(); self.ip_id = self.ip_id.wrapping_add(1);
            let (s, d) = if fwd { (t.pod_ip(f.src), f.dst_ip) } else { (f.dst_ip, t.pod_ip(f.src)) };
            let mut h = [0u8; 20]; h[0] = 0x45; h[2..4].copy_from_slice(&(iplen as u16).to_be_bytes());
            h[4..6].copy_from_slice(&self.ip_id.to_be_bytes()); h[6] = 0x40; h[8] = 64; h[9] = proto;
            h[12..16].copy_from_slice(&s.to_be_bytes()); h[16..20].copy_from_slice(&d.to_be_bytes());
            let c = fold(sum16(0, &h)); h[10..12].copy_from_slice(&c.to_be_bytes());
            acc = sum16(acc, &h[12..20]); self.buf.extend_from_slice(&h);
        }
        l4[ck] = 0; l4[ck + 1] = 0;
        let mut c = fold(sum16(acc, l4)); if proto == 17 && c == 0 { c = 0xffff; }
        l4[ck..ck + 2].copy_from_slice(&c.to_be_bytes());
        self.buf.extend_from_slice(l4);
        let orig = self.buf.len(); let cap = orig.min(self.snap);
        let mut rec = [0u8; 16];
        rec[0..4].copy_from_slice(&((ts / 1_000_000) as u32).to_le_bytes()); rec[4..8].copy_from_slice(&((ts % 1_000_000) as u32).to_le_bytes());
        rec[8..12].copy_from_slice(&(cap as u32).to_le_bytes()); rec[12..16].copy_from_slice(&(orig as u32).to_le_bytes());
        self.w.write_all(&rec).unwrap(); self.w.write_all(&self.buf[..cap]).unwrap();
        self.bytes += orig as u64;
        iplen as u64
    }
}

const PATHS: [&str; 8] = ["/", "/healthz", "/api/v1/users", "/api/v1/orders", "/cart", "/static/app.js", "/login", "/metrics"];
const STATUS: [(u32, &str); 8] = [(200, "OK"), (200, "OK"), (200, "OK"), (200, "OK"), (204, "No Content"), (304, "Not Modified"), (404, "Not Found"), (503, "Service Unavailable")];
const MSS: usize = 1448;

fn tcp_seg(l4: &mut Vec<u8>, sp: u16, dp: u16, seq: u32, ack: u32, flags: u8, payload: &[u8]) {
    l4.clear();
    l4.extend_from_slice(&sp.to_be_bytes()); l4.extend_from_slice(&dp.to_be_bytes());
    l4.extend_from_slice(&seq.to_be_bytes()); l4.extend_from_slice(&ack.to_be_bytes());
    let opts: &[u8] = if flags & 2 != 0 { &[2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 1, 2, 3, 0, 0, 0, 0, 1, 3, 3, 7] } else { &[1, 1, 8, 10, 0, 1, 2, 3, 0, 1, 2, 3] };
    l4.extend_from_slice(&[((20 + opts.len()) as u8 / 4) << 4, flags, 0xfa, 0xf0, 0, 0, 0, 0]);
    l4.extend_from_slice(opts); l4.extend_from_slice(payload);
}

/// Emits the flow's next packet; true when the flow has ended.
fn step(f: &mut Flow, t: &Topo, o: &mut Out, l4: &mut Vec<u8>, text: &mut Vec<u8>, ts: u64) -> bool {
    let i = f.step; f.step += 1;
    let (fwd, n, done);
    match f.kind {
        Kind::Dns | Kind::Udp => {
            fwd = if f.kind == Kind::Dns { i == 0 } else { f.rnd & 1 == 0 || i % 2 == 0 };
            text.clear();
            if f.kind == Kind::Dns {
                let nx = f.rnd % 5 == 0;
                text.extend_from_slice(&(f.rnd as u16).to_be_bytes());
                text.extend_from_slice(match (fwd, nx) { (true, _) => &[1, 0, 0, 1, 0, 0, 0, 0, 0, 0], (false, false) => &[0x85, 0x80, 0, 1, 0, 1, 0, 0, 0, 0], (false, true) => &[0x85, 0x83, 0, 1, 0, 0, 0, 0, 0, 0] });
                let lab = format!("svc-{}", f.svc);
                let ns = format!("ns-{}", f.svc % 10);
                for l in [lab.as_str(), ns.as_str(), "svc", "cluster", "local"].iter().chain(if nx { ["ns-0", "svc"].iter() } else { [].iter() }) {
                    text.push(l.len() as u8); text.extend_from_slice(l.as_bytes());
                }
                text.extend_from_slice(&[0, 0, 1, 0, 1]);
                if !fwd && !nx { text.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 30, 0, 4]); text.extend_from_slice(&t.svc_ip(f.svc).to_be_bytes()); }
            } else {
                let len = 20 + (f.rnd.rotate_left(i % 32) % 1200) as usize; text.extend_from_slice(&o.filler[..len]);
            }
            let (sp, dp) = if fwd { (f.sport, f.dport) } else { (f.dport, f.sport) };
            l4.clear();
            l4.extend_from_slice(&sp.to_be_bytes()); l4.extend_from_slice(&dp.to_be_bytes());
            l4.extend_from_slice(&((8 + text.len()) as u16).to_be_bytes()); l4.extend_from_slice(&[0, 0]); l4.extend_from_slice(text);
            n = o.packet(t, ts, f, fwd, 17, l4, 6); done = f.step >= f.total;
        }
        Kind::Refused | Kind::Dropped => {
            fwd = f.kind == Kind::Dropped || i == 0;
            let (sp, dp) = if fwd { (f.sport, f.dport) } else { (f.dport, f.sport) };
            let (s, a, fl) = if fwd { (f.seq_c, 0, 0x02) } else { (0, f.seq_c.wrapping_add(1), 0x14) };
            tcp_seg(l4, sp, dp, s, a, fl, &[]);
            n = o.packet(t, ts, f, fwd, 6, l4, 16); done = f.step >= f.total;
        }
        Kind::Tcp | Kind::Http => {
            // steps: 0 SYN, 1 SYN/ACK, 2 ACK, 3..3+total data, then FIN, FIN, ACK (or one RST)
            let d = i as i64 - 3; let flags; let mut plen = 0usize; text.clear();
            if i < 3 { fwd = i != 1; flags = [0x02, 0x12, 0x10][i as usize]; }
            else if d < f.total as i64 {
                let d = d as u32;
                if f.kind == Kind::Http { // groups of 4: request, response head+body, response body, ack
                    let h = (f.rnd ^ (d / 4).wrapping_mul(0x9E3779B9)).rotate_left(7); let st = STATUS[(h % 8) as usize];
                    let body = if st.0 == 204 || st.0 == 304 { 0 } else { ((h >> 8) % 2600) as usize };
                    match d % 4 {
                        0 => { fwd = true; flags = 0x18;
                            write!(text, "{} {} HTTP/1.1\r\nHost: svc-{}.ns-{}.svc.cluster.local\r\nUser-Agent: weir-gen/1\r\nAccept: */*\r\nX-Request-Id: {:08x}\r\n\r\n", ["GET", "GET", "GET", "POST"][(h >> 3) as usize % 4], PATHS[(h >> 5) as usize % 8], f.svc, f.svc % 10, h).unwrap(); plen = text.len(); }
                        1 => { fwd = false; flags = 0x18;
                            write!(text, "HTTP/1.1 {} {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nServer: weir-gen\r\n\r\n", st.0, st.1, body).unwrap();
                            let k = body.min(MSS - text.len()); text.extend_from_slice(&o.filler[..k]); plen = text.len(); }
                        2 => { fwd = false; flags = 0x18;
                            let head = 82 + st.1.len() + body.to_string().len() + st.0.to_string().len();
                            plen = body.saturating_sub(MSS.saturating_sub(head)); plen = plen.min(MSS); text.extend_from_slice(&o.filler[..plen]); }
                        _ => { fwd = true; flags = 0x10; }
                    }
                } else { // 2 data : 1 ack, direction by flow
                    let down = f.rnd & 3 != 0; let is_ack = d % 3 == 2;
                    fwd = down == is_ack; flags = if is_ack { 0x10 } else { 0x18 };
                    if !is_ack { plen = if f.rnd & 0x30 == 0 { MSS } else { 40 + (f.rnd.rotate_left(d % 32) % 1400) as usize }; text.extend_from_slice(&o.filler[..plen]); }
                }
            } else if f.rst { fwd = f.rnd & 8 == 0; flags = 0x14; }
            else { let k = d - f.total as i64; fwd = k != 1; flags = if k == 2 { 0x10 } else { 0x11 }; }
            let (sp, dp, s, a) = if fwd { (f.sport, f.dport, f.seq_c, f.seq_s) } else { (f.dport, f.sport, f.seq_s, f.seq_c) };
            tcp_seg(l4, sp, dp, s, if flags & 0x10 != 0 { a } else { 0 }, flags, text);
            let adv = plen as u32 + (flags & 3 != 0) as u32;
            if fwd { f.seq_c = f.seq_c.wrapping_add(adv) } else { f.seq_s = f.seq_s.wrapping_add(adv) }
            n = o.packet(t, ts, f, fwd, 6, l4, 16);
            done = f.step >= 3 + f.total + if f.rst { 1 } else { 3 };
        }
    }
    if fwd { f.pf += 1; f.bf += n } else { f.pr += 1; f.br += n }
    f.last = ts;
    done
}

fn new_flow(r: &mut Rng, t: &Topo, mix: &[u64; 6], v6: u64, ts: u64, next_port: &mut [u16]) -> Flow {
    let mut w = r.below(mix.iter().sum()); let mut k = 0;
    while w >= mix[k] { w -= mix[k]; k += 1; }
    let kind = KINDS[k].0;
    // popularity skew: half the calls go to a tenth of the services
    let svc = if r.pct(50) { r.below((t.services as u64 / 10).max(1)) } else { r.below(t.services as u64) } as u32;
    let eps = t.pods / t.services;
    let mut dst = if kind == Kind::Dns { r.below(2.min(t.pods as u64)) as u32 } else { (svc + t.services * r.below(eps.max(1) as u64) as u32) % t.pods };
    let src = r.below(t.pods as u64) as u32;
    if dst == src { dst = (dst + 1) % t.pods; }
    let is6 = r.pct(v6);
    let vip = !is6 && matches!(kind, Kind::Tcp | Kind::Http) && r.pct(20);
    let p = &mut next_port[src as usize]; *p = if *p >= 60999 { 32768 } else { *p + 1 };
    let total = match kind { Kind::Tcp => r.heavy(3.0, 2000) as u32, Kind::Http => 4 * r.heavy(1.0, 8) as u32, Kind::Dns => 2,
        Kind::Udp => r.heavy(1.5, 50) as u32, Kind::Refused => 2, Kind::Dropped => 1 + r.below(5) as u32 };
    Flow { kind, v6: is6, src, dst, dst_ip: if vip { t.svc_ip(svc) } else { t.pod_ip(dst) }, svc, sport: *p,
        dport: match kind { Kind::Dns => 53, Kind::Udp => 8125, Kind::Http => 8080, _ => t.svc_port(svc) },
        step: 0, total, seq_c: r.next() as u32, seq_s: r.next() as u32, rst: r.pct(5), rnd: r.next() as u32,
        pf: 0, bf: 0, pr: 0, br: 0, first: ts, last: ts }
}

fn main() {
    let a: Vec<String> = std::env::args().collect();
    let get = |k: &str, d: &str| a.iter().position(|x| x == k).and_then(|i| a.get(i + 1).cloned()).unwrap_or(d.into());
    let num = |k: &str, d: &str| get(k, d).replace('_', "").parse::<u64>().unwrap_or_else(|_| panic!("bad {k}"));
    let out = get("--out", ""); if out.is_empty() { eprintln!("gen_pcap --out FILE [--packets N] [--flows N] [--pods N] [--services N] [--seed N] [--snaplen N] [--pps N] [--mix a,b,c,d,e,f] [--v6 PCT] [--link eth|sll2|raw] [--truth CSV] [--topo JSON]"); std::process::exit(2) }
    let (packets, flows, snap, pps, v6) = (num("--packets", "1000000"), num("--flows", "100000").max(1), num("--snaplen", "256") as usize, num("--pps", "100000").max(1), num("--v6", "0"));
    let t = Topo { pods: num("--pods", "500").max(2) as u32, services: num("--services", "100").max(1) as u32 };
    let mut mix = [30u64, 30, 30, 4, 3, 3];
    let m = get("--mix", ""); if !m.is_empty() { for (i, x) in m.split(',').enumerate() { mix[i] = x.parse().unwrap() } }
    let link = match get("--link", "eth").as_str() { "eth" => 0u8, "sll2" => 1, "raw" => 2, l => panic!("link {l}") };
    let mut r = Rng::new(num("--seed", "1"));
    let mut o = Out { w: BufWriter::with_capacity(1 << 20, File::create(&out).unwrap()), snap, link, buf: vec![], filler: (0..4096u32).map(|i| b'a' + (i.wrapping_mul(2654435761) >> 27) as u8 % 26).collect(), ip_id: 0, bytes: 0 };
    o.w.write_all(&0xa1b2c3d4u32.to_le_bytes()).unwrap(); o.w.write_all(&[2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0]).unwrap();
    o.w.write_all(&(snap as u32).to_le_bytes()).unwrap(); o.w.write_all(&[1u32, 276, 101][link as usize].to_le_bytes()).unwrap();
    let mut truth = { let p = get("--truth", ""); if p.is_empty() { None } else { let mut w = BufWriter::new(File::create(p).unwrap()); writeln!(w, "proto,src,sport,dst,dport,kind,pkts_fwd,bytes_fwd,pkts_rev,bytes_rev,first_us,last_us").unwrap(); Some(w) } };
    let topo = get("--topo", "");
    let ipv4 = |x: u32| std::net::Ipv4Addr::from(x).to_string();
    if !topo.is_empty() {
        let mut w = BufWriter::new(File::create(topo).unwrap());
        writeln!(w, "{{\"pods\":[").unwrap();
        for p in 0..t.pods { let s = t.svc_of(p); let mac = t.mac(p).iter().map(|b| format!("{b:02x}")).collect::<Vec<_>>().join(":");
            writeln!(w, "{{\"name\":\"{}-{p}\",\"namespace\":\"{}\",\"node\":\"node-{}\",\"ip\":\"{}\",\"ip6\":\"{}\",\"mac\":\"{mac}\",\"service\":\"svc-{s}\"}}{}", if p < 2 { "coredns".into() } else { format!("svc-{s}") }, if p < 2 { "kube-system".into() } else { format!("ns-{}", s % 10) }, p / 254, ipv4(t.pod_ip(p)), std::net::Ipv6Addr::from(t.v6(p)), if p + 1 < t.pods { "," } else { "" }).unwrap(); }
        writeln!(w, "],\"services\":[").unwrap();
        for s in 0..t.services { let eps: Vec<String> = (0..t.pods).filter(|p| t.svc_of(*p) == s).map(|p| format!("\"{}\"", ipv4(t.pod_ip(p)))).collect();
            writeln!(w, "{{\"name\":\"svc-{s}\",\"namespace\":\"ns-{}\",\"cluster_ip\":\"{}\",\"port\":{},\"endpoints\":[{}]}}{}", s % 10, ipv4(t.svc_ip(s)), t.svc_port(s), eps.join(","), if s + 1 < t.services { "," } else { "" }).unwrap(); }
        writeln!(w, "]}}").unwrap();
    }
    let mut emit_truth = |f: &Flow, w: &mut Option<BufWriter<File>>| if let Some(w) = w { if f.pf + f.pr > 0 {
        let (s, d) = if f.v6 { (std::net::Ipv6Addr::from(t.v6(f.src)).to_string(), std::net::Ipv6Addr::from(t.v6(f.dst)).to_string()) } else { (ipv4(t.pod_ip(f.src)), ipv4(f.dst_ip)) };
        let pr = if matches!(f.kind, Kind::Dns | Kind::Udp) { 17 } else { 6 };
        writeln!(w, "{pr},{s},{},{d},{},{},{},{},{},{},{},{}", f.sport, f.dport, KINDS.iter().find(|k| k.0 == f.kind).unwrap().1, f.pf, f.bf, f.pr, f.br, f.first, f.last).unwrap(); } };
    let mut ports = vec![32767u16; t.pods as usize];
    let mut slots: Vec<Option<Flow>> = (0..flows).map(|_| None).collect();
    let (mut l4, mut text) = (Vec::with_capacity(2048), Vec::with_capacity(2048));
    let mut ts: u64 = 1_700_000_000_000_000 * 1000; // nanoseconds
    let gap = 1_000_000_000 / pps; let (mut n, mut total) = (0u64, 0u64); let hot = (flows / 10).max(1);
    while n < packets {
        let s = if r.pct(70) { r.below(hot) } else { r.below(flows) } as usize;
        for _ in 0..1 + r.below(4) {
            if n >= packets { break }
            if slots[s].is_none() { slots[s] = Some(new_flow(&mut r, &t, &mix, v6, ts / 1000, &mut ports)); total += 1; }
            let f = slots[s].as_mut().unwrap();
            if step(f, &t, &mut o, &mut l4, &mut text, ts / 1000) { emit_truth(f, &mut truth); slots[s] = None; }
            n += 1; ts += gap / 2 + r.below(gap + 1);
        }
    }
    for f in slots.iter().flatten() { emit_truth(f, &mut truth); }
    o.w.flush().unwrap(); if let Some(w) = &mut truth { w.flush().unwrap() }
    eprintln!("packets {n} flows {total} open_at_end {} wire_bytes {} span_s {:.1}", slots.iter().flatten().count(), o.bytes, (ts - 1_700_000_000_000_000_000) as f64 / 1e9);
}
