"""The door for requests: an adapter whose connections use several paths.

session = requests.Session()
for prefix in ("http://", "https://"):
    session.mount(prefix, MultipathAdapter(strategy=Deadline(10)))
response = session.get("https://example.org/film.mp4")
print(report(response))

A strategy for some requests alone: mount another adapter for their URLs, or ask inside
`with using(Refresh(65536)):`.
"""

from .adapter import MultipathAdapter, report, using

__all__ = ["MultipathAdapter", "report", "using"]
