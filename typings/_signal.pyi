# The C module behind `signal`: importing that one takes `enum`, which takes longer than a container's namespaces.
from signal import SIG_BLOCK as SIG_BLOCK
from signal import SIG_DFL as SIG_DFL
from signal import SIG_SETMASK as SIG_SETMASK
from signal import SIG_UNBLOCK as SIG_UNBLOCK
from signal import default_int_handler as default_int_handler
from signal import getsignal as getsignal
from signal import pidfd_send_signal as pidfd_send_signal
from signal import pthread_sigmask as pthread_sigmask
from signal import set_wakeup_fd as set_wakeup_fd
from signal import siginterrupt as siginterrupt
from signal import signal as signal
from signal import sigpending as sigpending
from signal import sigwaitinfo as sigwaitinfo
