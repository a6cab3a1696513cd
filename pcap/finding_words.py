"""What can be found in a capture: each kind with its severity, its words and its remedy, in English and Chinese.

`docs/reference/findings.md` is made from this table.
"""

from __future__ import annotations

from dataclasses import dataclass

ERROR, WARNING, INFO = "error", "warning", "info"


@dataclass(frozen=True, slots=True)
class Words:
    """A kind of finding: severity, and text and remedy in both languages, with places for figures in braces."""

    severity: str
    text: tuple[str, str]
    remedy: tuple[str, str]


KINDS: dict[str, Words] = {
    "no_response": Words(
        ERROR, ("{method} was sent {count} times and nobody ever answered.", "{method} 发送了 {count} 次，始终无人应答。"),
        ("Check that the address and port are right, that the server runs, and that a firewall lets SIP through in both "
         "directions.", "检查地址和端口是否正确、服务器是否在运行，以及防火墙是否双向放行 SIP。")),
    "too_big": Words(
        ERROR, ("{method} of {size} bytes was sent {count} times over UDP and nobody ever answered; it does not fit into one "
                "packet.", "{method} 有 {size} 字节，经 UDP 发送了 {count} 次无人应答；一个数据包容不下它。"),
        ("Fragments are often dropped on the way. Use TCP or TLS for SIP, or offer fewer codecs.",
         "分片常在途中被丢弃。请改用 TCP 或 TLS 传输 SIP，或减少所提供的编码。")),
    "late_answer": Words(
        WARNING, ("The first answer to {method} took {seconds:.1f} s.", "{method} 的首个应答用了 {seconds:.1f} 秒。"),
        ("The other side or the network is overloaded, or packets are lost: look at the copies that were sent meanwhile.",
         "对方或网络过载，或有丢包：请查看其间重发的副本。")),
    "never_acked": Words(
        ERROR, ("The answer to the INVITE was sent {count} times and never acknowledged; the call will be ended.",
                "对 INVITE 的应答发送了 {count} 次，始终没有 ACK；通话将被结束。"),
        ("The ACK goes to the address in the answer's Contact ({contact}). Check that the caller can reach it: behind a NAT, "
         "the server must give its public address.",
         "ACK 发往应答中 Contact 的地址（{contact}）。检查主叫能否到达；在 NAT 后面时，服务器须给出公网地址。")),
    "ack_lost": Words(
        ERROR, ("The answer to the INVITE was sent {count} times after its ACK had passed here; the call will be ended.",
                "ACK 已经过此处，但对 INVITE 的应答此后又发送了 {count} 次；通话将被结束。"),
        ("The ACK is lost between here and the side that answered: look at the proxies in Route, at a NAT and at firewalls on "
         "that way.", "ACK 在此处与应答方之间丢失：检查 Route 中的代理、NAT 和该路径上的防火墙。")),
    "auth_loop": Words(
        ERROR, ("{method} with credentials was refused with {status} {count} times.",
                "带凭据的 {method} 被 {status} 拒绝了 {count} 次。"),
        ("The password or the user name is wrong, or the phone does not use the server's realm ({realm}).",
         "密码或用户名有误，或话机没有使用服务器的 realm（{realm}）。")),
    "registration_refused": Words(
        ERROR, ("The registration of {user} was refused: {status} {reason}.", "{user} 的注册被拒绝：{status} {reason}。"),
        ("Check user name, password and domain of the account.", "检查账号的用户名、密码和域。")),
    "registration_loop": Words(
        WARNING, ("{user} registered {count} times within {seconds:.0f} s, though each registration holds for {expires} s.",
                  "{user} 在 {seconds:.0f} 秒内注册了 {count} 次，而每次注册有效 {expires} 秒。"),
        ("The phone does not see its own Contact in the answer, or its address changes: look for a NAT or an ALG that rewrites "
         "SIP, and switch it off.",
         "话机在应答中认不出自己的 Contact，或其地址在变化：检查改写 SIP 的 NAT 或 ALG，并将其关闭。")),
    "call_refused": Words(
        WARNING, ("The call was refused: {status} {reason}.", "呼叫被拒绝：{status} {reason}。"),
        ("Check whom it called ({target}), and what the server's log says of it.",
         "检查所呼叫的地址（{target}），并查看服务器日志。")),
    "codec_mismatch": Words(
        ERROR, ("No codec in common: {offered} was offered{answered}.", "没有共同的编码：提供的是 {offered}{answered}。"),
        ("Enable a codec that both sides have: PCMU and PCMA are in nearly every phone.",
         "启用双方都有的编码：几乎所有话机都支持 PCMU 和 PCMA。")),
    "hold_forgotten": Words(
        WARNING, ("{who} put the call on hold and did not take it back for {seconds:.0f} s, until the end.",
                  "{who} 保持了通话，{seconds:.0f} 秒后直到结束都未恢复。"),
        ("The other side hears nothing meanwhile. If nobody meant it, look whether a re-INVITE was lost or refused.",
         "其间对方听不到声音。若非有意，请检查是否有 re-INVITE 丢失或被拒绝。")),
    "sip_unreachable": Words(
        ERROR, ("{reporter} says that {address} can't be reached (ICMP, {count} times).",
                "{reporter} 报告 {address} 不可达（ICMP，{count} 次）。"),
        ("Nothing listens on that port, or a firewall forbids it: check address, port and transport.",
         "该端口无人监听，或被防火墙禁止：检查地址、端口和传输方式。")),
    "port_closed": Words(
        ERROR, ("Media for {address} is refused: {reporter} says that it can't be reached (ICMP, {count} times).",
                "发往 {address} 的媒体被拒绝：{reporter} 报告不可达（ICMP，{count} 次）。"),
        ("The program there has closed its port or named a wrong one in its SDP; or a firewall rejects the ports of media.",
         "对方程序已关闭该端口，或在 SDP 中给错端口；也可能是防火墙拒绝媒体端口。")),
    "ttl_exceeded": Words(
        ERROR, ("Packets for {address} die on the way: {reporter} says that their time to live was over ({count} times).",
                "发往 {address} 的数据包在途中消亡：{reporter} 报告 TTL 已耗尽（{count} 次）。"),
        ("There is a loop in the routing, or the sender's TTL is too small.", "路由中有环路，或发送方的 TTL 太小。")),
    "private_address": Words(
        ERROR, ("One-way audio: media is sent to {address}, the private address in the SDP of {who}, whose packets come from "
                "{real}. It can't arrive there.",
                "单向语音：媒体发往 {who} 的 SDP 中的私有地址 {address}，而其数据包来自 {real}，无法到达。"),
        ("Let {who} use STUN or ICE or give its public address, or let the server answer to where media comes from "
         "(symmetric RTP).", "让 {who} 使用 STUN 或 ICE，或给出公网地址；或让服务器把媒体发回其来源（对称 RTP）。")),
    "wrong_port": Words(
        ERROR, ("Media for {who} is sent to {address}, but its SDP names port {port}.",
                "发给 {who} 的媒体发往 {address}，但其 SDP 中的端口是 {port}。"),
        ("The sender ignores the last SDP, or a NAT or ALG has changed it on the way: compare the SDP on both sides.",
         "发送方忽略了最近的 SDP，或 NAT/ALG 在途中改写了它：请对比两侧的 SDP。")),
    "one_way_audio": Words(
        ERROR, ("One-way audio: no RTP ever came from {who} ({address}), while the other direction flowed.",
                "单向语音：{who}（{address}）从未发来 RTP，而另一方向正常。"),
        ("Look whether its firewall or NAT drops UDP, whether it is muted or has no microphone, and whether its SDP says that "
         "it sends.", "检查其防火墙或 NAT 是否丢弃 UDP、是否静音或没有麦克风，以及其 SDP 是否声明发送。")),
    "no_media": Words(
        ERROR, ("No RTP at all, though the call was up for {seconds:.0f} s.", "通话持续了 {seconds:.0f} 秒，却完全没有 RTP。"),
        ("Either media takes another way and was not captured, or a firewall drops UDP in both directions.",
         "媒体可能走了别的路径而未被捕获，或防火墙双向丢弃 UDP。")),
    "loss": Words(
        WARNING, ("{lost} of {expected} packets were lost ({percent:.1f} %), spread over the call.",
                  "{expected} 个数据包丢失 {lost} 个（{percent:.1f}%），分布在整个通话中。"),
        ("A link before the place of capture is overloaded or a wireless one is bad: use a cable, reserve bandwidth or mark "
         "voice (DSCP EF). Opus with FEC hides up to 10 %.",
         "捕获点之前的链路过载，或无线信号差：改用有线、预留带宽或标记语音（DSCP EF）。带 FEC 的 Opus 可掩盖约 10%。")),
    "burst_loss": Words(
        WARNING, ("{lost} packets were lost in {bursts} bursts, up to {worst} in a row ({ms:.0f} ms).",
                  "{lost} 个数据包成串丢失，共 {bursts} 次，最长连续 {worst} 个（{ms:.0f} 毫秒）。"),
        ("Something stops for a moment: a roaming phone, a route that changes, a queue that overflows. Look what happens at "
         "that time.", "有环节短暂中断：漫游、路由变化或队列溢出。请查看当时发生了什么。")),
    "jitter": Words(
        WARNING, ("{late:.0f} % of the packets came more than 60 ms late, which a usual jitter buffer does not wait for; "
                  "jitter is {mean:.0f} ms on average and up to {most:.0f} ms.",
                  "{late:.0f}% 的数据包迟到超过 60 毫秒，超出常见抖动缓冲的等待；"
                  "抖动平均 {mean:.0f} 毫秒，最大 {most:.0f} 毫秒。"),
        ("Give voice priority (DSCP EF), avoid Wi-Fi, or let the receiver's jitter buffer grow.",
         "为语音设置优先级（DSCP EF），避免 Wi-Fi，或加大接收方的抖动缓冲。")),
    "clock_skew": Words(
        WARNING, ("The sender's media clock is {ppm:+.0f} ppm off: {drift:.0f} ms over {seconds:.0f} s.",
                  "发送方的媒体时钟偏差 {ppm:+.0f} ppm：{seconds:.0f} 秒累计 {drift:.0f} 毫秒。"),
        ("The receiver must drop or repeat sound now and then. Use another sound device, or let one clock drive sending.",
         "接收方须不时丢弃或重复声音。请更换声卡，或让发送由同一时钟驱动。")),
    "duplicates": Words(
        WARNING, ("{count} packets came twice ({percent:.1f} %).", "{count} 个数据包重复到达（{percent:.1f}%）。"),
        ("A switch mirrors its port, or two ways carry the same packets: look at the capture's set-up first.",
         "交换机镜像了端口，或两条路径承载相同的数据包：先检查捕获的方式。")),
    "captured_twice": Words(
        INFO, ("Nearly every packet is in the capture twice ({count} copies): it was seen at two places.",
               "几乎每个数据包都出现两次（{count} 个副本）：捕获点在两处看到了它。"),
        ("Capture one interface instead of \"any\", or one side of a bridge or VLAN.",
         "只捕获一个接口而不是 any，或只捕获网桥、VLAN 的一侧。")),
    "restart": Words(
        WARNING, ("The numbering of the packets began anew {count} times, under the same SSRC.",
                  "数据包编号重新开始了 {count} 次，而 SSRC 未变。"),
        ("The sender, or a gateway behind it, started over: hold music or a transfer. Receivers may stay silent for a while; a "
         "new SSRC would tell them.",
         "发送方或其后的网关重新开始了发送（保持音乐或转接）。接收方可能暂时无声；应使用新的 SSRC。")),
    "reordering": Words(
        WARNING, ("{count} packets came out of order ({percent:.1f} %).", "{count} 个数据包乱序到达（{percent:.1f}%）。"),
        ("Packets take several ways: let the network keep each flow on one (per-flow balancing).",
         "数据包走了多条路径：让网络按流分配，每个流只走一条路径。")),
    "ssrc_change": Words(
        WARNING, ("The sender went from SSRC 0x{old:08x} to 0x{new:08x} without a new SDP.",
                  "发送方未经新的 SDP 就把 SSRC 从 0x{old:08x} 换成 0x{new:08x}。"),
        ("It has restarted its stream, by a collision (RFC 3550 §8.2) or by a fault; some receivers play a click or nothing "
         "then.", "它重启了流，可能因冲突（RFC 3550 §8.2）或故障；有些接收方会出现爆音或无声。")),
    "wrong_ptime": Words(
        WARNING, ("Packets carry {ms:g} ms, but the receiver's SDP asks for {wanted:g} ms.",
                  "每个数据包含 {ms:g} 毫秒，但接收方 SDP 要求 {wanted:g} 毫秒。"),
        ("Set the sender's packet time to what is asked for (a=ptime), or leave it out of the SDP.",
         "把发送方的打包时长设为所要求的值（a=ptime），或在 SDP 中去掉它。")),
    "wrong_pace": Words(
        WARNING, ("Timestamps say {said:.0f} ms for what takes {took:.0f} ms to come: the sender's clock rate is wrong.",
                  "时间戳表示 {said:.0f} 毫秒，实际到达却用了 {took:.0f} 毫秒：发送方的时钟频率有误。"),
        ("The timestamps count another clock than the codec's (RFC 3551 §4.5): G.722 counts 8000 a second, Opus 48000.",
         "时间戳使用的时钟与编码不符（RFC 3551 §4.5）：G.722 每秒 8000，Opus 每秒 48000。")),
    "payload_type": Words(
        ERROR, ("{count} packets have payload type {type}, which the receiver's SDP does not name ({named}).",
                "{count} 个数据包的负载类型是 {type}，接收方的 SDP 中没有（{named}）。"),
        ("The receiver can't play them. The sender must use the numbers of the receiver's SDP (RFC 3264 §6.1).",
         "接收方无法播放。发送方必须使用接收方 SDP 中的编号（RFC 3264 §6.1）。")),
    "dtmf_end_lost": Words(
        WARNING, ("The end of key {keys} never came.", "按键 {keys} 的结束包从未到达。"),
        ("The receiver may take the key for held, or not at all. The end is sent three times (RFC 4733 §2.5.1.4): look for "
         "loss.", "接收方可能认为按键一直按着，或根本没收到。结束包应发送三次（RFC 4733 §2.5.1.4）：请检查丢包。")),
    "rtcp_missing": Words(
        INFO, ("No RTCP in {seconds:.0f} s of media from {address}.", "{address} 发送媒体 {seconds:.0f} 秒，没有 RTCP。"),
        ("Without RTCP nobody learns how the call sounds at the other end, and lips can't be synchronised. Enable it, and let "
         "the port above RTP through.", "没有 RTCP 就无法得知对端的音质，也无法音画同步。请启用它，并放行 RTP 上方的端口。")),
    "remote_loss": Words(
        WARNING, ("The receiver reports that {percent:.0f} % of what was captured here did not reach it.",
                  "接收方报告：此处捕获到的数据中有 {percent:.0f}% 未到达。"),
        ("The loss is between here and the receiver: capture on its side, too.",
         "丢包发生在此处与接收方之间：请在对端也捕获一次。")),
    "srtp_closed": Words(
        INFO, ("Media is encrypted (SRTP), and was not opened.", "媒体已加密（SRTP），尚未解开。"),
        ("`confero-pcap decrypt` opens it with the keys of the SDP, a key log or a key file.",
         "`confero-pcap decrypt` 可用 SDP、密钥日志或密钥文件中的密钥解开。")),
}
"""By their names, which JSON has, too."""
