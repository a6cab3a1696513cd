// Every text of the page, in English and Chinese. `t("mute")` is the one in the language of the page.

const WORDS = {
  user: ["User", "用户"], password: ["Password", "密码"], login: ["Log in", "登录"],
  login_hint: ["With an account of this server. Administrators see everything, others the rooms they own.",
               "使用本服务器的账号登录。管理员可查看全部内容，其他用户只能查看自己拥有的会议室。"],
  logout: ["Log out", "退出"], light: ["Light", "浅色"], dark: ["Dark", "深色"], language: ["中文", "English"],
  rooms: ["Rooms", "会议室"], new_room: ["New room", "新建"], no_rooms: ["No rooms yet.", "还没有会议室。"],
  choose: ["Choose a room.", "请选择一个会议室。"], nobody: ["Nobody is in this room.", "会议室中没有人。"],
  open: ["open", "进行中"], empty: ["empty", "空闲"], locked: ["locked", "已锁定"], permanent: ["permanent", "永久"],
  people: ["People", "成员"], lobby: ["Lobby", "等候室"], events: ["What happened", "事件"], server: ["Server", "服务器"],
  name: ["Name", "姓名"], level: ["Level", "音量"], loss: ["Loss", "丢包"], jitter: ["Jitter", "抖动"],
  mos: ["MOS", "MOS"], media: ["Media", "媒体"], role: ["Role", "角色"],
  mute: ["Mute", "静音"], unmute: ["Unmute", "解除静音"], mute_all: ["Mute all", "全体静音"], kick: ["Remove", "移出"],
  lock: ["Lock", "锁定"], unlock: ["Unlock", "解锁"], close: ["End for all", "结束会议"], invite: ["Invite", "邀请"],
  invite_hint: ["alice or sip:alice@example.org", "alice 或 sip:alice@example.org"],
  record: ["Record", "录制"], record_stop: ["Stop recording", "停止录制"], recording: ["Recording", "录制中"],
  more: ["More …", "更多……"], verb: ["What", "操作"], optional: ["may be left out", "可选"], all: ["all", "所有人"], do: ["Do it", "执行"],
  admit: ["Admit", "准许"], deny: ["Deny", "拒绝"], lower_hand: ["Lower hand", "放下手"],
  hand: ["hand raised", "已举手"], delete: ["Delete room", "删除会议室"],
  host: ["Host", "主持人"], "co-host": ["Co-host", "联席主持人"], presenter: ["Presenter", "演讲者"],
  attendee: ["Attendee", "参会者"], listener: ["Listener", "听众"],
  cancel: ["Cancel", "取消"], create: ["Create", "创建"], room_name: ["Name (a-z, 0-9, -)", "名称（a-z、0-9、-）"],
  room_pin: ["PIN (digits, auto, or empty)", "PIN（数字、auto 或留空）"], owner: ["Owner (a user, or empty)", "所有者（用户名或留空）"],
  made: ["Room {0} is made.", "会议室 {0} 已创建。"], made_pin: ["Room {0} is made. PIN {1}", "会议室 {0} 已创建。PIN {1}"],
  sure_close: ["End the meeting in {0} for everybody?", "要结束 {0} 的会议吗？所有人都会离开。"],
  sure_kick: ["Remove {0} from the meeting?", "要将 {0} 移出会议吗？"],
  sure_delete: ["Delete the room {0}?", "要删除会议室 {0} 吗？"],
  encrypted: ["encrypted", "已加密"], plain: ["not encrypted", "未加密"], muted: ["muted", "已静音"], held: ["on hold", "保持中"],
  calls: ["Calls", "通话"], workers: ["Workers", "媒体进程"], restarts: ["Restarts", "重启"],
  lost_feed: ["No connection to the server; trying again …", "与服务器的连接已断开，正在重试……"],
  failed: ["That failed ({0}).", "操作失败（{0}）。"],
};

const EVENTS = {
  "participant-joined": ["{who} joined {room}", "{who} 加入 {room}"], "participant-left": ["{who} left {room}", "{who} 离开 {room}"],
  "participant-kicked": ["{who} was removed from {room}", "{who} 被移出 {room}"],
  "lobby-entered": ["{who} waits in the lobby of {room}", "{who} 在 {room} 的等候室中等候"],
  "unmute-asked": ["{who} is asked to unmute in {room}", "已请 {who} 在 {room} 解除静音"],
  "host-changed": ["{room} has a new host: {who}", "{room} 的新主持人：{who}"],
  "recording-changed": ["{room}: recording {state}", "{room}：录制{state}"], "dial-out": ["{room} calls {target}: {state}", "{room} 呼叫 {target}：{state}"],
  "command-judged": ["{room}: {verb} by {actor} {refusal}", "{room}：{actor} 执行 {verb} {refusal}"],
  "activity-suspended": ["{room}: all activity was suspended, or goes on", "{room}：全部活动已暂停或恢复"],
  "conference-closing": ["{room} is ending", "{room} 即将结束"], "conference-closed": ["{room} is over", "{room} 已结束"],
  "lock-changed": ["{room}: the lock was changed", "{room}：锁定状态已改变"],
};

// What `{state}` is called; "" is a recording that is over.
const STATES = {
  "": ["stopped", "已停止"], on: ["on", "进行中"], recording: ["on", "进行中"], paused: ["paused", "已暂停"],
  "looking-up": ["looking up", "正在查找"], "dialing-out": ["calling", "呼叫中"], alerting: ["it rings", "响铃中"],
  answered: ["answered", "已接听"], busy: ["busy", "忙线"], declined: ["declined", "已拒绝"], "no-answer": ["no answer", "无人接听"],
  failed: ["failed", "失败"], cancelled: ["cancelled", "已取消"],
};

const known = document.cookie.match(/(?:^|; )confero_language=(en|zh)/);
export let language = known ? known[1] : navigator.language.startsWith("zh") ? "zh" : "en";

export function setLanguage(next) {
  language = next;
  document.cookie = `confero_language=${next}; path=/; max-age=31536000; samesite=strict`;
}

function pick(pair) {
  return pair[language === "zh" ? 1 : 0];
}

export function t(key, ...values) {
  return values.reduce((text, value, at) => text.replaceAll(`{${at}}`, value), WORDS[key] ? pick(WORDS[key]) : key);
}

// One line about an event of the feed; null for those that are too many to be read.
export function eventWords(event) {
  const words = EVENTS[event.event];
  if (!words) return null;
  const values = { ...event, who: event.participant?.name ?? "", state: STATES[event.state] ? pick(STATES[event.state]) : event.state };
  return pick(words).replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "").trim();
}
