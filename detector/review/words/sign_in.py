"""Signing in, the first run, and one's own account."""

from __future__ import annotations

from collections.abc import Mapping

WORDS: Mapping[str, tuple[str, str]] = {
    "sign_in.title": ("Sign in", "登录"),
    "sign_in.name": ("User name", "用户名"),
    "sign_in.password": ("Password", "密码"),
    "sign_in.go": ("Sign in", "登录"),
    "sign_in.wrong": ("User name or password is wrong.", "用户名或密码错误。"),
    "sign_in.throttled": (
        "Too many attempts. Try again in {minutes} min.",
        "尝试次数过多，请在 {minutes} 分钟后重试。",
    ),
    "sign_in.note": ("Every look at footage is logged.", "所有录像查看操作均留有记录。"),
    "setup.title": ("First run", "首次使用"),
    "setup.lead": (
        "Nobody can sign in yet. Make the first administrator; they make the others.",
        "系统中尚无用户，请先创建管理员账号，其他用户由管理员添加。",
    ),
    "setup.code": ("Set-up code", "安装验证码"),
    "setup.code_hint": (
        "The program printed it where kerbwatch serve was started.",
        "启动 kerbwatch serve 时显示在终端窗口中。",
    ),
    "setup.code_wrong": ("That is not the set-up code.", "安装验证码不正确。"),
    "setup.password_hint": (
        "10 characters or more, and not your user name.",
        "至少 10 个字符，且不含用户名。",
    ),
    "setup.again": ("Password again", "再次输入密码"),
    "setup.go": ("Make the administrator", "创建管理员"),
    "setup.differ": ("The two passwords differ.", "两次输入的密码不一致。"),
    "account.title": ("My account", "我的账号"),
    "account.signed_in_as": ("Signed in as {name}", "当前用户：{name}"),
    "account.password": ("Change the password", "修改密码"),
    "account.old": ("Present password", "当前密码"),
    "account.new": ("New password", "新密码"),
    "account.changed": (
        "The password was changed; your other sign-ins and your tokens have ended.",
        "密码已修改，其他设备上的登录和全部令牌已失效。",
    ),
    "account.tokens": ("Tokens for programs", "程序接口令牌"),
    "account.tokens_lead": (
        "A program that sends a token may do what you may do. The API is described at /api/v1/openapi.json.",
        "持有令牌的程序拥有与您相同的权限。接口说明见 /api/v1/openapi.json。",
    ),
    "account.token_name": ("What for", "用途"),
    "account.token_make": ("Make a token", "生成令牌"),
    "account.token_days": ("Valid, days", "有效期（天）"),
    "account.token_until": ("Valid until", "有效期至"),
    "account.token_once": ("Copy it now, it is not shown again:", "请立即复制，此后不再显示："),
    "account.token_revoke": ("Revoke", "吊销"),
    "account.token_made": ("Made", "创建时间"),
    "account.token_used": ("Last used", "最近使用"),
    "account.no_tokens": ("You have made none.", "尚未生成令牌。"),
}
