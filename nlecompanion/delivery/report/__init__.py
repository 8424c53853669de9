"""The report of a delivery: frozen views of it, drawn, compressed, laid out as one page."""

from nlecompanion.delivery.report.write import REPORT_NAME, ReportLimits, write_report

__all__ = ["REPORT_NAME", "ReportLimits", "write_report"]
