"""Annotation jobs: real people, in parallel, at their own pace; everything they say is kept in one file a job."""
