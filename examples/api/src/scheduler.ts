import { onStop } from "./stop";

const everyMinute = setInterval(() => console.log(JSON.stringify({ level: "info", message: "tick" })), 60_000);

onStop(async () => clearInterval(everyMinute));
