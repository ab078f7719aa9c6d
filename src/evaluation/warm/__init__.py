"""Processes forked from one that has everything imported: the start of a kernel costs little.

``client`` starts a fork server and asks it for processes, ``server`` is that process, ``child``
what it forks; ``provisioner`` lets every Jupyter client (papermill, nbclient, nbval, JupyterLab)
start its kernels there.
"""
