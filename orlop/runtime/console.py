"""The terminal's master: given away over a console socket, or connected to the caller's own terminal."""

from __future__ import annotations

import errno
import select

from orlop import system as os
from orlop.runtime.sending import Dialled

_NAME = b"/dev/pts/ptmx"
_PIPE_BUF = 4096


class ConsoleSocket(Dialled):
    """Whoever is to hold the terminal's master (docs/terminals.md of runc).  It is dialled before anything is made."""

    __slots__ = ()

    def __init__(self, path: str) -> None:
        super().__init__(path, "console socket", "the program that is to hold the terminal must listen there")

    def give(self, master: int) -> None:
        """Send the master.  Raises OrlopError."""
        self.send(master, _NAME)


class Terminal:
    """The caller's terminal while it stands for the container's: raw, its size followed, restored at the end.

    Without a terminal of the caller's, standard input and output are connected as they are.
    """

    def __init__(self, master: int) -> None:
        import termios  # only a run with a terminal pays for it

        self._termios = termios
        self.master = master
        self.host = next((fd for fd in (2, 1, 0) if os.isatty(fd)), None)
        self._saved = None
        attributes = termios.tcgetattr(master)
        attributes[1] &= ~termios.ONLCR  # the caller's terminal does that
        termios.tcsetattr(master, termios.TCSANOW, attributes)
        if self.host is not None:
            self._saved = termios.tcgetattr(self.host)
            if termios.tcgetwinsize(master) == (0, 0):  # else the config has its say, until the caller's is changed
                self.resize()
            self._raw()

    def _raw(self) -> None:
        assert self.host is not None
        t = self._termios
        mode = t.tcgetattr(self.host)
        mode[0] &= ~(t.BRKINT | t.ICRNL | t.INLCR | t.IGNCR | t.INPCK | t.ISTRIP | t.IXON | t.IGNBRK | t.PARMRK)
        # Output is still processed: the caller's terminal ends lines, the container's does not (`__init__`).
        mode[2] = mode[2] & ~(t.CSIZE | t.PARENB) | t.CS8
        mode[3] &= ~(t.ECHO | t.ECHONL | t.ICANON | t.IEXTEN | t.ISIG)
        t.tcsetattr(self.host, t.TCSANOW, mode)

    def resize(self) -> None:
        """Give the container's terminal the size of the caller's."""
        if self.host is None:
            return
        try:
            self._termios.tcsetwinsize(self.master, self._termios.tcgetwinsize(self.host))
        except OSError:
            return

    def restore(self) -> None:
        """Give the caller's terminal back as it was."""
        if self.host is not None and self._saved is not None:
            self._termios.tcsetattr(self.host, self._termios.TCSADRAIN, self._saved)
            self._saved = None


class Copier:
    """Copies between the caller's standard streams and a master, as far as each can take it.

    The caller's may have been made not to block by whoever shares them.  An output that nobody takes any more is no
    reason for the container to end: what it writes is lost then.
    """

    def __init__(self, master: int) -> None:
        self.master = master
        self.pending = b""
        self.unwritten = b""
        self.input_open = True
        os.set_blocking(master, False)

    def register(self, poll: select.poll) -> None:
        """What there is to wait for at this moment."""
        events = (select.POLLOUT if self.pending else 0) | (0 if self.unwritten else select.POLLIN)
        if events:
            poll.register(self.master, events)
        if self.input_open and not self.pending:
            poll.register(0, select.POLLIN)
        if self.unwritten:
            poll.register(1, select.POLLOUT)

    def copy(self, ready: dict[int, int]) -> bool:
        """Copy what can be copied; False when the container has closed its side."""
        if self.input_open and not self.pending and ready.get(0):
            self._input()
        if self.pending:
            try:
                self.pending = self.pending[os.write(self.master, self.pending) :]
            except BlockingIOError:
                pass
            except OSError:
                self.pending = b""
        if self.unwritten:
            if ready.get(1):
                self._write()
            return True
        return self._output() if ready.get(self.master, 0) & ~select.POLLOUT else True

    def _input(self) -> None:
        try:
            self.pending = os.read(0, 65536)
        except BlockingIOError:  # somebody else has read it
            return
        except OSError:
            pass
        self.input_open = bool(self.pending)

    def _output(self) -> bool:
        try:
            self.unwritten = os.read(self.master, 65536)
        except BlockingIOError:
            return True
        except OSError as error:
            if error.errno == errno.EIO:  # the last slave is closed
                return False
            raise
        return bool(self.unwritten)

    def _write(self) -> None:
        """Write no more at a time than a pipe that can be written to takes without blocking (pipe(7))."""
        try:
            self.unwritten = self.unwritten[os.write(1, self.unwritten[:_PIPE_BUF]) :]
        except BlockingIOError:
            pass
        except OSError:
            self.unwritten = b""

    def drain(self) -> None:
        """What the container wrote before it ended."""
        while True:
            while self.unwritten:
                _poll(1, select.POLLOUT, None)
                self._write()
            if not _poll(self.master, select.POLLIN, 0) & select.POLLIN or not self._output():
                return


def _poll(fd: int, events: int, timeout: int | None) -> int:
    """Wait for a descriptor, for so many milliseconds; what there is of it."""
    poll = select.poll()
    poll.register(fd, events)
    return dict(poll.poll(timeout)).get(fd, 0)
