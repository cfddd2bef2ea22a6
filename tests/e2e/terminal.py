"""ffe on a terminal of a given width, and what the terminal would show."""

import fcntl
import os
import pty
import re
import struct
import termios


def on_terminal(user, *arguments, columns=80, prompt="", keys="", **environment):
    """What a terminal of this width would show, and the exit status. At the prompt the keys are typed."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(user.home)
        os.execve(user.ffe, [user.ffe, *map(str, arguments)], user.environment | environment)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    shown = b""
    try:
        while piece := os.read(terminal, 65536):
            shown += piece
            if keys and prompt in shown.decode(errors="replace"):
                os.write(terminal, keys.encode())
                keys = ""
    except OSError:  # the other end is closed
        pass
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown.decode()


def visible_lines(shown):
    """What each drawing leaves on its line."""
    text = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", shown)
    return [line for line in re.split(r"[\r\n]+", text) if line]
